"""Whether a web server answers: Prefect and Label Studio both have an address for that."""

import urllib.error
import urllib.request


def answers(url: str, *, timeout_s: float = 10.0) -> bool:
    """Whether a server answers at an address with status 200 within some seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:  # noqa: S310  an address that a user set
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def answers_everybody(url: str, *, timeout_s: float = 5.0) -> bool:
    """Whether a server does what a request without any password asks, by POST with an empty JSON object."""
    request = urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310  an address that a user set
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False
