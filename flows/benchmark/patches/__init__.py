"""How well labels as a patch apply to another copy of the data set."""
