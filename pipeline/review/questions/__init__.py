"""Which questions people may be asked, how many photos each answer is expected to correct, and in which order."""
