"""The result of `refinery refine`, on the terminal and on the page of a Prefect run."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from flows.cli.result import Result, text_table
from flows.prefect_runtime.artifacts import publish_link, publish_table
from pipeline.noise.face_quality.hubs import hub_lines
from pipeline.noise.groups.group_summary import EFFECTS, UNKNOWN, effect_rows, pooling_lines
from pipeline.noise.scores.basis import CalibrationBasis
from pipeline.refined.threshold_table import ThresholdRow, threshold_tables
from pipeline.refinement import Account, Refinement


@dataclass(frozen=True)
class RefineResult(Result):
    """A finished refinement: its account of photos, its thresholds, and the addresses of its tables."""

    account: Account
    thresholds: dict[str, float]  # on findings
    rules: dict[str, float]  # of the stages before there are findings
    tables: dict[str, str]
    root: str
    calibration: dict[str, float]  # what the thresholds were measured on: see CalibrationBasis
    references: tuple[str, ...]  # names of the photos of other people that the calibration used
    warning: str  # that the thresholds are a guess, and what to do; "": they are not
    groups: tuple[str, ...] = ()  # lines about the calibrations of groups
    effects: tuple[dict[str, object], ...] = ()  # what they change: see group_summary.EffectRow
    hubs: tuple[str, ...] = ()  # what is to be said about each hub: see noise/face_quality/hubs.py

    @classmethod
    def of(cls, refinement: Refinement, *, groups: str = "") -> "RefineResult":
        """The result of a refinement; groups: the file of --groups, if one was given."""
        addresses = {role: f"{table.name}/{table.address}" for role, table in refinement.tables.items()}
        thresholds, rules = dict(refinement.thresholds), dict(refinement.options.rules)
        options = refinement.options
        warning = CalibrationBasis.of(options.calibration).warning()
        calibration = dict(options.calibration)
        return cls(
            refinement.account,
            thresholds,
            rules,
            addresses,
            refinement.root,
            calibration,
            tuple(options.references),
            warning,
            *group_figures(refinement, groups),
            hub_lines(refinement.findings),
        )

    def rows(self) -> list[dict[str, object]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """The thresholds, and what to do next."""
        a, tables = self.account, threshold_tables(self.thresholds, self.rules)
        identities = f"{a.identities_claimed} identities claimed, {a.identities_kept} kept"
        return [
            f"{identities}, {a.moved} photos under another identity",
            "thresholds that decide about findings:",
            *_threshold_lines(tables.findings),
            "rules by which faces are clustered, before there are findings:",
            *_threshold_lines(tables.grouping),
            f"calibration: {CalibrationBasis.of(self.calibration).line(self.references)}",
            *([f"warning: {self.warning}"] if self.warning else []),
            *self.groups,
            *(text_table(self.effects) if self.effects else []),
            *self.hubs,
            f"next: refinery report {quote(self.root)}",
            f"      refinery labels {quote(self.root)} --out labels.tsv",
            f"      refinery export {quote(self.root)} --out refined --format recordio",
        ]


def group_figures(refinement: Refinement, file: str) -> tuple[tuple[str, ...], tuple[dict[str, object], ...]]:
    """Lines about the calibrations of groups and the rows of what they change; none without a file of --groups."""
    calibrations, effects = refinement.group_calibration, refinement.group_effects
    if refinement.groups is None or calibrations is None or effects is None:
        nobody = f"thresholds by group: none, because {file} gives no identity of the data a group"
        return (nobody,) if file else (), ()
    rows = tuple(row.as_dict() for row in effect_rows(effects))
    return (*pooling_lines(calibrations, refinement.groups), EFFECTS if rows else UNKNOWN), rows


def _threshold_lines(rows: list[ThresholdRow]) -> list[str]:
    """A table of thresholds as lines of text."""
    columns = (
        ("rule", "asked", "became", "unit", "decides")
        if any(row.became for row in rows)
        else ("rule", "asked", "decides")
    )
    return text_table([{column: getattr(row, column) for column in columns} for row in rows]) if rows else []


def publish_artifacts(account: Account, root: str) -> None:
    """Put the account and a link to the tables on the page of the Prefect run, where there is a run."""
    publish_table(account.rows(), "account", root, description="Where every photo went")
    link = root if "://" in root else Path(root).absolute().as_uri()
    publish_link(link, "refinement", root, text="The refined tables")
