"""Performance measured on this machine, each beside a limit or a peer of the same run."""
