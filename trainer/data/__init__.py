"""Batches of faces from a refined data set."""
