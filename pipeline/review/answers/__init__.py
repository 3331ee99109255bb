"""Answers: the ledger that stores them, the log of the questions that were sent, and how votes become verdicts."""
