"""Outliers by likelihood ratios on drawn persons with planted noise, whose embedder is weak."""

from collections import Counter
from pathlib import Path

import numpy as np

from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from tests.builders.tables.drawn_vectors import DIM, tables, unit
from tests.builders.tables.planted_noise import planted_noise

REPLACED = {"outlier", "mixed", "split"}


def weak_rows(seed: int) -> list:
    """The rows of the planted noise with so much deviation that cosines of genuine pairs are 0.2 in place of 0.7."""
    rng = np.random.default_rng(seed)
    deviation = 1.6 / np.sqrt(DIM)
    return [
        (key, identity, x if x is None else unit(x + deviation * rng.normal(size=DIM)), number)
        for key, identity, x, number in planted_noise(0).rows
    ]


def test_with_textures_outliers_follow_from_likelihood_ratios_and_other_findings_stay(tmp_path: Path) -> None:
    root, kinds = str(tmp_path), {key: kind for key, (kind, _) in planted_noise(0).truth.items()}
    photos, faces, embeddings = tables(root, weak_rows(1))
    textures = tables(root, weak_rows(2), source="textures")[2]
    fates, findings = [], []
    for given in (None, textures):
        noise = find_noise(root, faces, [embeddings], textures=given)
        labelling = label(root, photos, noise, undecided="keep", min_faces=2)
        account = labelling.account
        assert account.kept + sum(account.removed.values()) == account.ingested == len(kinds)
        fates.append({r["key"]: r["reason"] for r in labelling.labels.read().to_pylist()})
        findings.append({r["finding_id"]: r for r in noise.findings.read().to_pylist()})
    others = [{i: r for i, r in f.items() if r["kind"] not in REPLACED} for f in findings]
    assert others[0] == others[1]
    assert {r["evidence"].partition("person")[0] for r in findings[1].values() if r["kind"] == "outlier"} == {
        "log likelihood ratio of showing the identity's "
    }
    removed = [Counter(kinds[k] for k, reason in f.items() if reason in ("outlier", "mixed")) for f in fates]
    planted = Counter(kinds.values())
    assert removed[1]["outlier"] > max(0.85 * planted["outlier"], 1.2 * removed[0]["outlier"]), removed
    assert removed[1]["clean"] < 0.06 * planted["clean"], removed
    assert "mixed" not in fates[1].values()
    for reason in ("duplicate", "no_face", "unnamed"):
        assert {k for k, v in fates[0].items() if v == reason} == {k for k, v in fates[1].items() if v == reason}
