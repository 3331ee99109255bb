"""What a run of tests as a whole has: folders that are made once, and the order of its files."""
