"""Find the photos of a data set that show the person in one photo."""
