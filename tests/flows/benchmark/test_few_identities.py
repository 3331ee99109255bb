"""Samples of few identities of a drawn refinement: the counts are those of their photos, and nothing is written."""

from pathlib import Path

import pytest

from flows.benchmark.few_identities.flow import few_identities
from flows.benchmark.few_identities.subsets import StoredFaces
from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import latest
from tests.builders.tables.drawn_refinement import refined

pytestmark = pytest.mark.slow

KINDS = {"bystander": "outlier", "mixed": "outlier", "no_face": "junk"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A refinement of drawn embeddings, and beside it the folder `truth`."""
    folder = tmp_path_factory.mktemp("few-identities")
    refinement, truth = refined(str(folder / "root"))
    claimed = {row["key"]: row["identity"] for row in refinement.photos.read(["key", "identity"]).to_pylist()}
    lines, persons = ["path\tclaimed\tperson\tkind\tof"], {}
    for key, (kind, shown) in truth.items():
        if kind != "unnamed":
            person = f"P{shown}" if shown is not None else f"other-{key}"
            original = next(k for k, v in truth.items() if v == ("clean", shown)) if kind == "duplicate" else ""
            lines.append(f"{key}\t{claimed[key]}\t{person}\t{KINDS.get(kind, kind)}\t{original}")
            if kind == "clean":
                persons.setdefault(claimed[key], set()).add(person)
    (folder / "truth").mkdir()
    (folder / "truth" / "truth.tsv").write_text("\n".join(lines) + "\n")
    table = "".join(f"{name}\t{' '.join(sorted(of))}\n" for name, of in sorted(persons.items()))
    (folder / "truth" / "identities.tsv").write_text("claimed\tpersons\n" + table)
    return folder


def test_few_identities_are_refined_about_as_well_alone(root: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (root / "root").rglob("*")}
    result = few_identities(str(root / "root"), root / "truth", size=[4], samples=2, others=30)
    assert {p: p.stat().st_mtime_ns for p in (root / "root").rglob("*")} == before
    (row,) = result.rows()
    assert row["identities"] == 4
    assert float(row["F1 alone"]) == pytest.approx(float(row["in the whole"]), abs=0.1)
    assert any("all identities together" in line for line in result.lines())


def test_the_photos_of_a_person_are_dealt_to_several_identities_and_merged(root: Path, tmp_path: Path) -> None:
    truth = read_truth(root / "truth")
    stored = StoredFaces(latest(str(root / "root")), truth, embedder=0)
    names = [f"p{p}" for p in range(43, 49)]
    subset = stored.refined(str(tmp_path), names, names_each=2)
    assert subset.basis.identities == 12
    assert subset.to_merge == 6
    assert subset.merged >= 5
    assert set(subset.counts) == set(names)
    for name, counts in subset.counts.items():
        kinds = [k for k, c in zip(truth.kind, truth.claimed, strict=True) if c == name]
        assert (counts.wrong, counts.clean) == (sum(k in ("outlier", "flip") for k in kinds), kinds.count("clean"))
        assert counts.found <= counts.wrong
        assert counts.lost <= 1


def test_identities_that_look_alike_are_drawn_and_mistakes_are_told(root: Path) -> None:
    result = few_identities(str(root / "root"), root / "truth", size=[3], samples=1, alike=True, by_embedder=1)
    assert result.rows()[0]["identities"] == 3
    with pytest.raises(UserError, match="has 1 embedder"):
        few_identities(str(root / "root"), root / "truth", size=[3], samples=1, by_embedder=2)
    with pytest.raises(UserError, match="give 1 to"):
        few_identities(str(root / "root"), root / "truth", size=[500], samples=1)
