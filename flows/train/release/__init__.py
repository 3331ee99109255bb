"""What leaves a training: the model in two forms, and its model card."""
