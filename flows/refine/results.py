"""The result of `refinery refine`, on the terminal and on the page of a Prefect run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.context import FlowRunContext

from flows.cli.result import Result
from pipeline.refinement import Account, Refinement


@dataclass(frozen=True)
class RefineResult(Result):
    """A finished refinement: where every photo went, the thresholds that were used, and where the tables lie."""

    account: Account
    thresholds: dict[str, Any]
    tables: dict[str, str]
    root: str

    @classmethod
    def of(cls, refinement: Refinement) -> "RefineResult":
        """The result of a refinement: its thresholds together with the rates that the early stages went by."""
        addresses = {role: f"{table.name}/{table.address}" for role, table in refinement.tables.items()}
        thresholds = {**refinement.thresholds, **refinement.options.rules}
        return cls(refinement.account, thresholds, addresses, refinement.root)

    def rows(self) -> list[dict[str, object]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """The thresholds, and what to do next."""
        a = self.account
        identities = f"{a.identities_claimed} identities claimed, {a.identities_kept} kept"
        return [
            f"{identities}, {a.moved} photos under another identity",
            *[f"threshold {name}: {value}" for name, value in self.thresholds.items()],
            f"next: refinery labels {self.root} labels.tsv, or refinery export {self.root} OUT --format recordio",
        ]


def publish_artifacts(account: Account, root: str) -> None:
    """Put the account and a link to the tables on the page of the Prefect run, where there is a run."""
    if FlowRunContext.get() is None:
        return
    create_table_artifact(
        [{column: str(value) for column, value in row.items()} for row in account.rows()],
        key="account",
        description="Where every photo went",
    )
    link = root if "://" in root else Path(root).absolute().as_uri()
    create_link_artifact(link, link_text="the refined tables", key="refinement")
