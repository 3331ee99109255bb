"""Checks of the two servers for `refinery doctor`: Label Studio, where people answer, and Prefect, which keeps history.

Neither must be configured; a configured one must answer.
"""

from flows.doctor.check import MISSING, OK, WARNING, Check
from flows.prefect_runtime.flow_run import prefect_is_off, server_url
from flows.prefect_runtime.health import answers

TIMEOUT_S = 5.0


def label_studio(root: str, url: str) -> Check:
    """The Label Studio of --url or LABEL_STUDIO_URL, or the local one of the root, and whether there is a token."""
    from flows.review.root_server import local_url, token_of

    is_set = bool(url)
    url = (url or (local_url(root) if root else "")).rstrip("/")
    if not url:
        return Check("Label Studio", OK, "not set; `refinery review serve ROOT` starts one on this machine")
    if not answers(f"{url}/health", timeout_s=TIMEOUT_S):
        advice = "start it (`refinery review serve ROOT`), or set LABEL_STUDIO_URL to one that runs"
        status = MISSING if is_set else WARNING  # the root's own runs while people review
        return Check("Label Studio", status, f"no answer at {url}", advice)
    if not token_of(root, url):
        return Check("Label Studio", WARNING, f"{url} answers", "set LABEL_STUDIO_API_KEY: without it nothing is sent")
    return Check("Label Studio", OK, f"{url} answers, and there is a token")


def prefect() -> Check:
    """The Prefect server of PREFECT_API_URL or of the profile that is in use."""
    url = server_url().rstrip("/")
    if prefect_is_off():
        return Check("Prefect", OK, "off (REFINERY_PREFECT): commands run without a server, history or retries")
    if not url:
        return Check("Prefect", OK, "no server is set: commands run without it, or start one with --prefect")
    if answers(f"{url}/health", timeout_s=TIMEOUT_S):
        return Check("Prefect", OK, f"{url} answers")
    return Check("Prefect", MISSING, f"no answer at {url}", "run `prefect server start`, or unset PREFECT_API_URL")
