"""Noise of every kind planted in photos that are believed clean: which photos, and the bytes of those that change."""
