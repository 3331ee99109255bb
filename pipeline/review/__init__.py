"""What people say about what the machine is not sure of."""
