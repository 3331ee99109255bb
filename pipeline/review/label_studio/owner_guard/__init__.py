"""Modules that a local Label Studio loads into its own Django: what only the owner of the server may change."""
