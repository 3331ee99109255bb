"""Settings of the tests' Label Studio: its own, but passwords are hashed fast, and little else costs time.

Nothing waits for the disk, a thread keeps its connection to the database from one request to the next, and the garbage
collector seldom looks through the libraries. Only the process of Label Studio loads this module.
"""

import gc

from django.conf.global_settings import PASSWORD_HASHERS as DJANGOS  # type: ignore[import-not-found]
from guarded_settings import *  # type: ignore[import-not-found]  # noqa: F403
from guarded_settings import DATABASES

gc.set_threshold(100_000, 50, 100)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *DJANGOS]
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"].setdefault("OPTIONS", {})["init_command"] = "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"
