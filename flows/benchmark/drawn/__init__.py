"""A drawn world of embeddings whose noise is known, and the score of labels against it."""
