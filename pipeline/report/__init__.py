"""The report of a refinement: the numbers, charts, faces and tables of one HTML page."""
