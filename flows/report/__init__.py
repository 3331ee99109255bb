"""The HTML report of a refinement."""
