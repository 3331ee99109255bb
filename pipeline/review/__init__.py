"""Review by people: questions about what the machine is not sure of, their answers, and how both meet."""
