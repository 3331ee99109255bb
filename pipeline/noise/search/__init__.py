"""Nearest neighbours among all persons, and the memory that a search takes."""
