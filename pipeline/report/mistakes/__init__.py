"""The mistakes of a refinement whose truth is known, as a page with their faces."""
