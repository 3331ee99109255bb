"""From photo to face to vector."""
