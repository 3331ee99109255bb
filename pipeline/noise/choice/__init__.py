"""Which face of a photo with several faces shows the photo's person: by the photos of its identity, not by a rule."""
