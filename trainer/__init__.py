"""A refined table in, a model and its numbers out."""
