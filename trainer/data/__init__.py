"""Batches of faces from a refined data set on disk, in a shuffled order that can be continued anywhere."""
