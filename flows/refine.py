"""From photos to a refined data set: the whole story on one screen.

Prefect gives order, retries, history and artifacts; without its decorators the flow runs and resumes just the same,
because every stage is a table that is made once and then found.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

from flows.take import parse_workers
from pipeline import schema
from pipeline.build import Workers, build
from pipeline.errors import UserError
from pipeline.faces.detect import Detector, kind_of
from pipeline.faces.embed import BATCH, Embedder, embed_shard, layout_of
from pipeline.faces.extract import extract_shard
from pipeline.faces.model_file import resolve_model
from pipeline.refined.account import Account, account
from pipeline.refined.latest import publish
from pipeline.sources.deal import Source, photos
from pipeline.table import Table


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """A storage that hiccups is tried again; what a user must mend is not."""
    return isinstance(state.result(raise_on_failure=False), OSError)


stage = task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5,
             retry_condition_fn=_worth_retrying)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A finished refinement: where every photo went, the thresholds that were used, and where the tables lie."""

    account: Account
    thresholds: dict[str, Any]
    tables: dict[str, str]
    root: str

    def as_json(self) -> dict[str, Any]:
        """The whole outcome as plain values."""
        return asdict(self)

    def rows(self) -> list[dict[str, object]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """The thresholds, and what to do next."""
        a = self.account
        return [
            f"{a.identities_claimed} identities claimed, {a.identities_kept} kept; {a.moved} photos under another identity",
            *[f"threshold {name}: {value}" for name, value in self.thresholds.items()],
            f"next: refinery labels {self.root} labels.tsv, or refinery export {self.root} OUT --format recordio",
        ]
