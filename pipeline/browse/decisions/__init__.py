"""Decisions that a person makes in `refinery browse`: what they say, and what they change."""
