"""Answers: the ledger that keeps them, the log of what was asked, and how votes become verdicts."""
