"""From findings and verdicts to labels; from labels to the refined data set, its account and its exports."""
