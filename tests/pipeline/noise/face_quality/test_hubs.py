"""Hubs: persons whom stray faces of very many identities match are named, and their strays are asked about."""

import numpy as np
import pyarrow as pa

from pipeline.noise.clusters import CLUSTERS
from pipeline.noise.face_quality.hubs import MIN_IDENTITIES, hub_lines, with_hubs
from pipeline.noise.findings import findings_table
from pipeline.noise.persons import persons_schema
from pipeline.noise.policy import judge, thresholds
from pipeline.schema import FINDINGS
from pipeline.tables.build import build
from tests.builders.tables.drawn_vectors import PLAIN, named_rows


def shards(root, name, schema, rows):
    return build(root, name, named_rows, [name], schema=schema, unhashed={"rows": rows, "kind": schema}).shards


def findings_with_hubs(root, *, identities, size):
    """The findings when one stray of each of so many identities matches a person of this size, and one another one."""
    faces = [f"f{n}" for n in range(identities)]
    clusters = [{"face_id": f, "identity": f"i{n}", "cluster": 1} for n, f in enumerate(faces)]
    persons = [{"person": p, "identity": p, "cluster": 0, "size": size, "of": size} for p in ("p", "q")]
    scores = np.full(identities, 9.0)
    strays = findings_table("misplaced", faces, ["p"] * identities, [scores], ["likeness 9.0"] * identities)
    other = findings_table("misplaced", ["f0"], ["q"], [np.array([8.0])], ["likeness 8.0"])
    return with_hubs(
        pa.concat_tables([strays, other]),
        root=root,
        clusters=shards(root, "clusters", CLUSTERS, clusters),
        persons=shards(root, "persons", persons_schema([2]), persons),
    )


def verdicts(findings):
    judged = judge(findings, thresholds(PLAIN, persons=10, tests=0), PLAIN)
    return {(r["kind"], r["object"]): v for r, v in zip(findings.to_pylist(), judged, strict=True)}


def test_a_person_who_draws_from_more_identities_than_it_has_photos_is_named_and_not_fed(tmp_path):
    findings = findings_with_hubs(str(tmp_path), identities=MIN_IDENTITIES + 1, size=MIN_IDENTITIES)
    hub = next(r for r in findings.to_pylist() if r["kind"] == "hub")
    assert (hub["subject"], hub["score"]) == ("p", MIN_IDENTITIES + 1)
    assert hub["evidence"] == f"photos of {MIN_IDENTITIES + 1} identities match this person of {MIN_IDENTITIES} faces"
    assert verdicts(findings) == {("misplaced", "p"): "unsure", ("misplaced", "q"): "yes", ("hub", None): "unsure"}
    assert {r["evidence"] for r in findings.to_pylist() if r["object"] == "p"} == {"likeness 9.0 to a hub"}


def test_hubs_are_named_in_a_summary(tmp_path):
    root = str(tmp_path)
    rows = findings_with_hubs(root, identities=MIN_IDENTITIES + 1, size=3).to_pylist()
    unhashed = {"rows": rows, "kind": FINDINGS}
    table = build(root, "findings", named_rows, ["findings"], schema=FINDINGS, unhashed=unhashed)
    said = f"photos of {MIN_IDENTITIES + 1} identities match this person of 3 faces"
    assert hub_lines(table) == (f"p may be no person: {said}; people are asked, and none of them is relabelled",)


def test_a_person_with_many_photos_or_few_strays_is_no_hub(tmp_path):
    for name, identities, size in (("many", MIN_IDENTITIES + 5, MIN_IDENTITIES + 5), ("few", MIN_IDENTITIES, 3)):
        findings = findings_with_hubs(str(tmp_path / name), identities=identities, size=size)
        assert verdicts(findings) == {("misplaced", "p"): "yes", ("misplaced", "q"): "yes"}
