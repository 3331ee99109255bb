"""From findings and verdicts to labels, and from labels to the refined data set, its exports and its account."""
