"""The report of a refinement: the counts, charts, tables and faces on one HTML page."""
