"""Questions as Label Studio tasks, and the answers read back."""
