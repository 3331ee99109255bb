"""Questions to annotators in Label Studio, and their answers back."""
