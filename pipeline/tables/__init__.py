"""Immutable, content-addressed tables: how they are built, named, stored and read."""
