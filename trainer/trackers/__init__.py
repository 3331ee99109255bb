"""Where the numbers of a training go besides its log: TensorBoard files, MLflow, Weights & Biases."""
