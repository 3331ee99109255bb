"""What is probably wrong."""
