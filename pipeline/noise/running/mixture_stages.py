"""The stages that fit densities of scores, and with groups the one that says what their calibrations change."""

from dataclasses import replace
from typing import NamedTuple

from pipeline.noise.calibration import read_calibration
from pipeline.noise.groups.group_effects import GROUP_EFFECTS, group_effects_shard
from pipeline.noise.groups.group_mixture import GROUP_MIXTURE, group_mixture_shard
from pipeline.noise.outliers.mixture_table import MIXTURE, mixture_shard, read_mixtures
from pipeline.noise.policy import Thresholds, thresholds
from pipeline.noise.running.person_stages import cluster_persons
from pipeline.noise.running.stage_run import StageRun
from pipeline.tables.table import Shard, Table


class GroupedTables(NamedTuple):
    """What the calibrations of the groups gave: tables, and the only shards of three of them."""

    calibration: Shard  # of the whole population
    clusters: Table
    persons: Table
    mixture: Shard
    group_mixture: Shard


def build_mixture(run: StageRun, calibration: Shard, *tables: Table) -> Shard:
    """The shard of the mixture table; tables: clusters, copies and persons."""
    parts = [tuple(run.parts_of(*tables))]
    params = {"calibration": calibration}
    return run.make("mixture", mixture_shard, parts, schema=MIXTURE, version=2, params=params).shards[0]


def build_group_mixture(run: StageRun, calibration: Shard, mixture: Shard, *tables: Table) -> Shard:
    """The shard of the group_mixture table; tables: clusters, copies and persons."""
    parts = [tuple(run.parts_of(*tables))]
    params = run.grouped({"calibration": calibration, "mixture": mixture})
    return run.make("group_mixture", group_mixture_shard, parts, schema=GROUP_MIXTURE, params=params).shards[0]


def build_group_effects(run: StageRun, found: GroupedTables, copies: Table, limits: Thresholds) -> Table:
    """The group_effects table. limits: the policy's thresholds with the groups.

    To say what the calibrations of the groups change, clusters, persons and mixture are made without them as well.
    """
    ungrouped, calibration = replace(run, groups=None), found.calibration
    clusters, persons = cluster_persons(ungrouped, calibration, copies)
    mixture = build_mixture(ungrouped, calibration, clusters, copies, persons)
    whole = thresholds(
        read_calibration(run.root, calibration),
        persons=1,
        tests=1,
        rates=run.rates,
        mixture=read_mixtures(run.root, mixture, calibration).get(-1),
    )
    params = {
        "calibration": calibration,
        "mixtures": (mixture, found.mixture),
        "group_mixture": found.group_mixture,
        "limits": [_outlier_limits(limits) for limits in (whole, limits)],
    }
    parts = run.parts_of(copies, clusters, persons, found.clusters, found.persons)
    return run.make("group_effects", group_effects_shard, parts, schema=GROUP_EFFECTS, params=run.grouped(params))


def _outlier_limits(limits: Thresholds) -> dict[str, float]:
    """Those thresholds by which outliers are decided."""
    names = ("outlier", "outlier_probability", "agreement", "contrary_0", "contrary_1")
    return {name: limits[name] for name in names if name in limits}
