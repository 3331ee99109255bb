"""MegaFace: measured as a test set, and the lists of its noisy photos that a refinement finds."""
