"""Whether Prefect records what runs here: in a flow run of its own, or because a server is set. Prefect loads late."""

import os
import sys
import tomllib
from pathlib import Path

PREFECT_VARIABLE = "REFINERY_PREFECT"  # off: commands run without Prefect, even where a server is set
PROJECT_FILE = "pyproject.toml"
SETTINGS_FILES = ("prefect.toml", PROJECT_FILE, ".env")  # read by Prefect in the working folder


def in_flow_run() -> bool:
    """Whether a Prefect flow is running here."""
    context = sys.modules.get("prefect.context")
    return context is not None and context.FlowRunContext.get() is not None


def started_by_prefect() -> bool:
    """Whether this process was started for a run of a deployment, by a runner or a worker of a Prefect server."""
    return bool(os.environ.get("PREFECT__FLOW_RUN_ID"))


def prefect_is_off() -> bool:
    """Whether REFINERY_PREFECT=off is set."""
    return os.environ.get(PREFECT_VARIABLE, "").lower() == "off"


def server_url() -> str:
    """The address of the Prefect server that is set by PREFECT_API_URL, a profile or a settings file; "" for none."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    if not any(map(_may_name_a_server, _settings_files())):
        return ""
    from prefect.settings import PREFECT_API_URL  # takes a second to load

    return PREFECT_API_URL.value() or ""


def _settings_files() -> list[Path]:
    """The files that may name a server."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    return [profiles, *map(Path, SETTINGS_FILES)]


def _may_name_a_server(file: Path) -> bool:
    try:
        text = file.read_bytes()
    except OSError:
        return False
    return b"prefect" in text.lower() and (file.name != PROJECT_FILE or _has_prefect_table(text))


def _has_prefect_table(project: bytes) -> bool:
    """Whether a project's file has settings of Prefect's; one that merely needs the package names it, too."""
    try:
        return "prefect" in tomllib.loads(project.decode()).get("tool", {})
    except ValueError:
        return True  # Prefect says what is wrong with it
