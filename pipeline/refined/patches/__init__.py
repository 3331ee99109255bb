"""Labels as a patch: what became of each photo, in a file that can be applied to another copy of the data set."""
