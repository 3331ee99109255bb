"""A refinement scored against a truth that is known photo by photo."""
