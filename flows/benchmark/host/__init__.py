"""What the processor can prepare for a GPU: the photo stages with models that cost nothing, beside bare decoding."""
