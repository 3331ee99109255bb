"""Finds what is probably wrong in a labelled data set; nothing is decided or changed here."""
