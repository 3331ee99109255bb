"""From photos to a refined data set: the whole story on one screen.

Prefect gives order, retries, history and artifacts; without its decorators the flow runs and resumes just the same,
because every stage is a table that is made once and then found.
"""
