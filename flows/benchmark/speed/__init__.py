"""Photos per second of models and steps, memory of processes, and photos to measure with."""
