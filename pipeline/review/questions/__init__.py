"""Which questions people may be asked, what an answer is worth, and in which order they are asked."""
