"""Erase a person from a refinement on request, with a receipt."""
