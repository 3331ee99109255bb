"""Groups of people: calibrations of their own, and what these change."""
