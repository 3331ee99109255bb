"""Outliers of weak embedders: the likelihood ratio of each photo against the other photos of its identity."""
