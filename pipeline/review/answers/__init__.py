"""The ledger of answers, and how votes become verdicts."""
