"""Refining and reviewing on a schedule: `refinery serve`, and the flows and deployments it serves."""
