"""Margins, heads and the terms of the training objective."""
