"""How flows run under Prefect: tasks, the server, the limit on GPU runs."""
