"""Published test sets and their lists of verification questions."""
