"""Published layouts of training photos, one module each."""
