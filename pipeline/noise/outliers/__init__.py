"""The probability that a photo does not show the person of its identity, from its score with that person."""
