"""The drawn sample world: the demo, its models, its known truth."""
