"""Drawing a face: first flat on a chart, as heights and colours, which are then laid over the head."""
