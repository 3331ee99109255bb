"""Erasure on request: the intent, what of a root shows the person, the receipt."""
