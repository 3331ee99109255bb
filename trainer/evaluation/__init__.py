"""What a model is worth: figures on test sets, each with the interval that the test set's size allows."""
