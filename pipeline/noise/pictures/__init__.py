"""Finds faces that were cut from the same picture: proposes candidate pairs and compares their pixels."""
