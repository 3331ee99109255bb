"""The HTML page of the report: its frame and tables, its style sheet, its script."""
