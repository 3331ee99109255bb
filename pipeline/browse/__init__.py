"""What `refinery browse` shows of a refinement and what a person decides there, as functions on tables."""
