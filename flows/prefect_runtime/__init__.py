"""How flows run under Prefect: tasks, the server of a run, the limit on GPU runs."""
