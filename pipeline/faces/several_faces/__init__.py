"""Photos that show several faces: their further faces as a table."""
