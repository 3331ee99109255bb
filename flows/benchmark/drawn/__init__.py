"""A drawn world of embeddings whose noise is known, and how good labels are against its truth."""
