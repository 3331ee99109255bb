"""The files beside the data of the hub: YAML that `datasets` reads, and a croissant.json that the validator accepts."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.refined.data_card import write_card
from pipeline.refined.export import export
from pipeline.refined.formats.hub_card import add_hub_files, front_matter
from pipeline.refined.formats.shard_plan import ShardSize
from pipeline.refinement import Refinement, latest
from pipeline.review.summary import summarize_review
from tests.builders.tables.drawn_refinement import ANNOTATORS, GROUP, answered_root
from tests.builders.tables.label_shards import grey_jpeg, refined_of

PICTURES = {name: [grey_jpeg(3 * i + k) for k in range(3)] for i, name in enumerate(["Zoë 李", "a/b", "x\ny"])}
SHARDS: list[dict[str, object]] = [{"path": "data/train-0.parquet", "rows": 1500, "bytes": 10, "arrow_bytes": 20}] * 2


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return latest(str(answered_root(tmp_path_factory)))


@pytest.fixture(scope="module")
def exported(refinement: Refinement, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some faces with the card of a refinement."""
    folder = tmp_path_factory.mktemp("hub")
    review = summarize_review(refinement.root)

    def card(out: Path, shards: list[dict[str, object]]) -> None:
        write_card(refinement, out, review=review, photos=9, identities=3, command="refinery export")
        add_hub_files(refinement, out, shards, review=review, identities=3, licence="")

    refined, identities = refined_of(str(folder / "root"), PICTURES)
    size = ShardSize(5, "photos")
    export(refined, identities, folder / "out", format="huggingface", shard_size=size, card=card)
    return folder / "out"


def yaml_of(text: str) -> dict[str, Any]:
    start, fields, _ = text.split("---\n", 2)
    assert not start
    return yaml.safe_load(fields)  # type: ignore[no-any-return]


def test_the_front_matter_holds_hostile_names_as_text_and_counts_what_is_there() -> None:
    for name in ("a: b\n- c", "'\"#%@`", "---\nlicense: mit", "null", "Zoë \U0001f600 \u202egpj"):
        fields = yaml_of(front_matter(f"{name}, refined", SHARDS, ""))
        assert fields["pretty_name"].replace("\\n", "\n").replace("\\u202e", "\u202e") == f"{name}, refined"
        assert fields["license"] == "unknown"
    assert fields["size_categories"] == ["1K<n<10K"]
    assert fields["dataset_info"]["splits"] == [{"name": "train", "num_bytes": 40, "num_examples": 3000}]
    assert fields["dataset_info"]["download_size"] == 20


def test_the_licence_is_an_identifier_or_the_address_of_its_text() -> None:
    assert yaml_of(front_matter("x", SHARDS, "CC-BY-4.0"))["license"] == "cc-by-4.0"
    other = yaml_of(front_matter("x", SHARDS, "https://example.org/terms"))
    assert (other["license"], other["license_link"]) == ("other", "https://example.org/terms")


def test_the_card_follows_the_front_matter(exported: Path) -> None:
    text = (exported / "README.md").read_text("utf-8")
    fields = yaml_of(text)
    assert fields["dataset_info"]["splits"][0]["num_examples"] == 9
    assert fields["dataset_info"]["download_size"] == sum(f.stat().st_size for f in (exported / "data").iterdir())
    assert "## Where every photo went" in text


def test_no_group_annotator_or_path_is_in_any_file(refinement: Refinement, exported: Path) -> None:
    files = [p for p in exported.rglob("*") if p.is_file()]
    assert len(files) > 8
    for word in (GROUP, *ANNOTATORS, refinement.root):
        assert not [p for p in files if word.encode() in p.read_bytes()], word


def test_croissant_states_what_the_refinement_did(refinement: Refinement, exported: Path) -> None:
    described = json.loads((exported / "croissant.json").read_text("utf-8"))
    protocol = " ".join(described["rai:dataPreprocessingProtocol"])
    for reason, n in refinement.account.removed.items():
        assert f"{n} photos removed as {reason}" in protocol
    assert described["license"] == "unknown"
    assert described["conformsTo"][0].endswith("croissant/1.1")
    assert [f["@id"] for f in described["distribution"] if "sha256" in f] == [
        f"data/train-0000{i}-of-00002.parquet" for i in range(2)
    ]


@pytest.mark.slow
def test_mlcroissant_accepts_and_reads_it(exported: Path) -> None:
    import mlcroissant

    data = mlcroissant.Dataset(jsonld=str(exported / "croissant.json"))  # raises where the file breaks the format
    assert not data.metadata.ctx.issues.errors
    warnings = " ".join(data.metadata.ctx.issues.warnings)
    assert warnings.count("Property") == 1, warnings  # of a paper to cite nothing is known
    assert "citeAs" in warnings
    assert data.metadata.data_biases
    assert data.metadata.personal_sensitive_information
    records = list(data.records("photos"))
    assert sorted(r["photos/identity"].decode() for r in records) == sorted(name for name in PICTURES for _ in range(3))
    assert {r["photos/image"].size for r in records} == {(112, 112)}


@pytest.mark.slow
@pytest.mark.usefixtures("no_hub")
def test_datasets_takes_the_data_alone_from_the_whole_folder(exported: Path, tmp_path: Path) -> None:
    import datasets

    loaded: Any = datasets.load_dataset(str(exported), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 9}
    assert sorted(loaded["train"]["identity"]) == sorted(name for name in PICTURES for _ in range(3))
