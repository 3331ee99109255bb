"""Measures models on test sets from their embeddings: verification, identification, retrieval, with 95% intervals."""
