"""Benchmarks of identities that are hard to clean, made of a refined data set whose truth is known."""
