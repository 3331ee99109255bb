"""Parts of the training loop: learner, one update, learning rate, progress, log, validation, stop signals."""
