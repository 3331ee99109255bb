"""Applies the patch of another copy of the data set to a refinement, as verdicts in its ledger."""
