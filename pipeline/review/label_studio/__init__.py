"""Label Studio: questions become its tasks, and annotators' answers are read back from its annotations."""
