"""Cleaning and review on a schedule."""
