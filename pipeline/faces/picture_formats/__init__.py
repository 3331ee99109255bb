"""The picture formats that are decoded, one module each where there is more to a format than a call of a library."""
