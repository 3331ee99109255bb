"""Reads a refined data set from disk as batches of faces, in a shuffled order that can be continued at any photo."""
