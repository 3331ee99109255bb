"""The sample world's own face detector: small, in the form of SCRFD, trained in minutes on a CPU."""
