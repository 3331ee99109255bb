"""The map of `refinery browse`: all persons in a plane, those who look alike beside each other."""
