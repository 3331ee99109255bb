"""Measures how duplicates are found: by kind of edit, and how the time grows with the photos of an identity."""
