"""The face detector of the drawn sample world: a small network with SCRFD's outputs, trained in minutes on a CPU."""
