"""The rows of the faces table, the parts that they are made from, and rows of earlier runs."""
