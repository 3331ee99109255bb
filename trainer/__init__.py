"""Trains face-recognition networks on a refined data set, and measures models on test sets."""
