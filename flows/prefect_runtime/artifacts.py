"""Tables and links on the page of a Prefect run. Each root has its own, because one server serves many roots."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from flows.prefect_runtime.flow_run import in_flow_run


def artifact_key(kind: str, root: str) -> str:
    """The key of a root's artifact of this kind: its words, the root's last folder, and a digest of the whole root."""
    root = root if "://" in root else str(Path(root).absolute())
    name = re.sub(r"[^a-z0-9]+", "-", root.rstrip("/").rpartition("/")[2].lower()).strip("-")[:40] or "root"
    return f"{kind}-{name}-{blake2b(root.encode(), digest_size=3).hexdigest()}"


def publish_table(rows: Sequence[Mapping[str, object]], kind: str, root: str, *, description: str) -> None:
    """Show rows on the page of the Prefect run, as text; nothing without a run or without rows."""
    if not rows or not in_flow_run():
        return
    from prefect.artifacts import create_table_artifact  # loaded by now, with the flow

    texts = [{column: str(value) for column, value in row.items()} for row in rows]
    create_table_artifact(texts, key=artifact_key(kind, root), description=f"{description} ({root})")


def publish_link(link: str, kind: str, root: str, *, text: str) -> None:
    """Show a link on the page of the Prefect run; nothing without a run."""
    if not in_flow_run():
        return
    from prefect.artifacts import create_link_artifact  # loaded by now, with the flow

    create_link_artifact(link, link_text=text, key=artifact_key(kind, root), description=f"{text} ({root})")
