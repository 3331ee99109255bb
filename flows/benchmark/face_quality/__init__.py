"""What the quality of faces foretells, and what it does to unrecognisable faces that were planted."""
