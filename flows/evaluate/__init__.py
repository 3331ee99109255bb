"""Measure models on test sets."""
