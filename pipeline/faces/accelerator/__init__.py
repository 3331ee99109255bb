"""The device on which models run, and detection and embedding in batches on a card."""
