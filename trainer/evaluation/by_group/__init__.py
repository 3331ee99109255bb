"""Figures by group of people: gaps between groups, and impostors within and between groups."""
