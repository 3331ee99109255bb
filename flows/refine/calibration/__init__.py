"""Photos of other people, on which the thresholds of a data set of few identities are measured."""
