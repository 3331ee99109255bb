"""Which faces were cut from the same picture: pairs that come into question, and their comparison pixel by pixel."""
