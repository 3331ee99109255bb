"""What is needed to know a face's quality: sample faces degraded in known steps, and face-quality models."""
