"""Builds the tables of a whole refinement."""
