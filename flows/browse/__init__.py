"""`refinery browse`: a gallery of the whole data set in the browser, in which a person looks and decides."""
