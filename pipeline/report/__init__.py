"""A refinement as one page to look at: what came in, where it went, and the faces behind every kind of finding."""
