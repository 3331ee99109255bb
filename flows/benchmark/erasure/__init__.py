"""How much of a person `refinery erase` finds and removes, measured on data with a known truth."""
