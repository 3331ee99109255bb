"""The command line: the list of commands, the options they share, and what they print."""
