"""Makers of single cases of noise with a known truth, one module a case."""
