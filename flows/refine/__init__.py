"""Commands that refine a data set, score it, correct it by a list, and write it out."""
