"""What the figures of the ArcFace paper are drawn from."""
