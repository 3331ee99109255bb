"""Train a model, and compare the data before and after refinement."""
