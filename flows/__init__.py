"""Order, retries, schedules and the command line: the only package that knows Prefect."""

import os

# before anything imports prefect: nothing is reported to anyone, a first start may take its time, our own log lines
# reach the run's page, and a failed task's traceback stays there instead of on the terminal
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "refinery")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
