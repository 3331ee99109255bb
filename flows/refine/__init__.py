"""From photos to a refined data set, and what is written out of it."""
