"""Nearest-neighbour search among all persons, and the memory that it takes."""
