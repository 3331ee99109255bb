"""What leaves: labels, the refined data set, the account."""
