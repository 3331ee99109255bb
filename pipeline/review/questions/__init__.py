"""Which questions people are asked, in which order, and with which photos."""
