"""Label Studio's own Django settings with one more middleware; only the process of Label Studio loads this module."""

import os

# while Label Studio's settings are loaded, some of its modules ask Django for settings: these must be found there
THIS = os.environ["DJANGO_SETTINGS_MODULE"]
os.environ["DJANGO_SETTINGS_MODULE"] = "label_studio.core.settings.label_studio"

from label_studio.core.settings.label_studio import *  # type: ignore[import-not-found]  # noqa: E402, F403
from label_studio.core.settings.label_studio import MIDDLEWARE as LABEL_STUDIO_MIDDLEWARE  # noqa: E402

os.environ["DJANGO_SETTINGS_MODULE"] = THIS
MIDDLEWARE = [*LABEL_STUDIO_MIDDLEWARE, "owner_only.OwnerOnly"]
