"""What the training loop consists of: the learner, one update, learning rate, progress, log, validation, signals."""
