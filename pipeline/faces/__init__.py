"""From a photo to its aligned face, and from the face to its embedding."""
