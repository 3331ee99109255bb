"""How a face is drawn: flat on a chart first, as heights and colours, which are then laid over the head."""
