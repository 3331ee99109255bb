"""The HTML report of a refinement, and of two compared."""
