"""`refinery doctor`: what this machine has of all that refinery needs."""
