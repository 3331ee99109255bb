"""The stages that decide outliers by likelihood ratios, for weak embedders helped by the texture of faces."""

from collections.abc import Sequence

from pipeline.noise.likelihood_ratio.model_table import TWO_COVARIANCE, two_covariance_shard
from pipeline.noise.likelihood_ratio.ratio_suspects import ratio_suspect_shard
from pipeline.noise.running.stage_run import StageRun
from pipeline.noise.suspects import DOUBTFUL
from pipeline.tables.table import Table


def build_ratio_suspects(run: StageRun, textures: Table, tables: Sequence[Table], suspects: Table) -> Table:
    """The suspects with outliers by likelihood ratios. textures: of the same faces; tables: copies and clusters."""
    copies, clusters = tables
    kinds = zip(*run.all_embeddings(), textures.shards, strict=True)
    vectors = list(zip(kinds, copies.shards, strict=True))
    model = run.make("two_covariance", two_covariance_shard, [tuple(vectors)], schema=TWO_COVARIANCE).shards[0]
    parts = list(zip(suspects.shards, clusters.shards, vectors, strict=True))
    params = {"model": model, "doubtful": DOUBTFUL}
    return run.make("ratio_suspects", ratio_suspect_shard, parts, params=params)
