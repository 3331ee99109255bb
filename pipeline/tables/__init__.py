"""Immutable, content-addressed tables: how one is built, named, stored and read."""
