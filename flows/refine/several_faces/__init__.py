"""Photos that show several faces: the choice between them, between the embeddings and the noise stages."""
