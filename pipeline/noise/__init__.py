"""Finds probable noise in a labelled data set and scores it. policy.py proposes verdicts; labels change elsewhere."""
