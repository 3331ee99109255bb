"""The pages that annotators see: which faces are shown beside which, and their pictures."""
