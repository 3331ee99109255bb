"""Tombstones: what is kept of photos that were erased on request, so that they do not come in again."""
