"""Settings of the tests' Label Studio: its own, but passwords are hashed fast and nothing waits for the disk.

Only the process of Label Studio loads this module.
"""

from django.conf.global_settings import PASSWORD_HASHERS as DJANGOS  # type: ignore[import-not-found]
from guarded_settings import *  # type: ignore[import-not-found]  # noqa: F403
from guarded_settings import DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *DJANGOS]
DATABASES["default"].setdefault("OPTIONS", {})["init_command"] = "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"
