"""Figures of a test set by group of people, where the user gives each person a group."""
