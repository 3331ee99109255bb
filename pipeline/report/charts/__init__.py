"""The charts of a report, one a file: each is a drawing with a title and with words for readers who cannot see it."""
