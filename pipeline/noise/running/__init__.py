"""Runs the stages of finding noise: what they share, and those up to the persons."""
