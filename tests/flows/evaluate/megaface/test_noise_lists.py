"""A small MegaFace of real photos with planted noise: the noise is found and listed, and rank-1 rises without it."""

import csv
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import pytest

from flows.evaluate.megaface.noise_list_files import DISTRACTOR_LIST, PROBE_LIST
from flows.evaluate.megaface.noise_lists import MegaFaceLists, megaface
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settled_verdicts
from pipeline.review.questions.cases import find_cases
from tests.builders.small_world import World
from tests.builders.tables.composed_pages import composed

pytestmark = [pytest.mark.material, pytest.mark.slow]


class Planted(NamedTuple):
    """A tree in MegaFace's layout, its refinement, and what is noise in it, by the lists' names."""

    root: str
    probes: set[str]
    distractors: set[str]
    duplicates: int


@pytest.fixture(scope="module")
def models(models: dict[str, str]) -> dict[str, str]:
    """The models without the second embedder: the lists are as good with one, and it takes as long as the first."""
    return {name: model for name, model in models.items() if name != "second_embedder"}


@pytest.fixture(scope="module")
def planted(material: Path, models: dict, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    with open(material / "noisy_lfw/truth.tsv", newline="") as stream:
        truth = [r for r in csv.DictReader(stream, delimiter="\t") if r["kind"] in ("clean", "outlier", "flip")]
    folder = tmp_path_factory.mktemp("megaface")
    photos, tree = material / "noisy_lfw/photos", folder / "tree"
    by_name = defaultdict(list)
    for row in truth:
        by_name[row["claimed"]].append(row)
    clean = {n: [r for r in rows if r["kind"] == "clean"] for n, rows in by_name.items()}
    # a name of two people is another story
    one_person = [n for n in by_name if len({r["person"] for r in clean[n]}) == 1]
    actors = sorted(n for n in one_person if 5 <= len(clean[n]) <= 9 and len(clean[n]) < len(by_name[n]))[:44]
    people = {r["person"] for n in actors for r in by_name[n]}
    wrong, leaked = set(), set()

    def put(row: dict, place: Path) -> str:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photos / row["path"], place)
        return place.name

    distractors = [r for n, rows in by_name.items() if n not in actors for r in rows if r["person"] not in people][:160]
    for number, row in enumerate(distractors):
        put(row, tree / f"{number % 40:03}/{1000 + number % 40}@N00/{number}_0.jpg")
    for i, name in enumerate(actors):
        first, *rows = clean[name]
        if i % 2:  # one photo of every second actor is found among the distractors
            leaked.add(f"9/777@N0{i}/1_0.jpg")
            put(first, tree / f"9/777@N0{i}/1_0.jpg")
        for k, row in enumerate([*rows, *(r for r in by_name[name] if r["kind"] != "clean")]):
            file = put(row, tree / name.replace(".", "_") / f"{name.replace('.', '_')}_{k}.jpg")
            wrong |= {file} if row["kind"] != "clean" else set()
    put(distractors[0], tree / "99/99@N00/again_0.jpg")
    again = tree / "98/98@N00/smaller_0.jpg"
    again.parent.mkdir(parents=True)
    photo = cv2.imread(str(photos / distractors[1]["path"]))
    cv2.imwrite(str(again), cv2.resize(photo, None, fx=0.8, fy=0.8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    root = str(folder / "root")
    World(tree, [], models).refine(root, "megaface", str(tree))
    return Planted(root, wrong, leaked, 2)


@pytest.fixture(scope="module")
def lists(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> MegaFaceLists:
    out = tmp_path_factory.mktemp("lists")
    for name, photos in ((PROBE_LIST, planted.probes), (DISTRACTOR_LIST, planted.distractors)):
        (out / name).write_text("#a head\n" + "".join(f"{p}\n" for p in [*sorted(photos)[1:], "else/where_1.jpg"]))
    return megaface(planted.root, out / "ours", published=str(out), draws=100)


def listed(lists: MegaFaceLists, name: str) -> set[str]:
    head, *lines = Path(lists.out, name).read_text().splitlines()
    assert head.startswith("#")
    assert lines == sorted(lines)
    return set(lines)


def test_the_lists_hold_the_planted_noise_and_little_else(planted: Planted, lists: MegaFaceLists) -> None:
    probes, distractors = listed(lists, PROBE_LIST), listed(lists, DISTRACTOR_LIST)
    assert planted.probes
    assert planted.distractors
    assert len(probes & planted.probes) >= 0.95 * len(planted.probes)
    assert len(probes - planted.probes) <= 0.03 * lists.probes
    assert distractors <= planted.distractors
    assert len(distractors) >= 0.9 * len(planted.distractors)
    assert lists.duplicates == planted.duplicates
    assert (lists.noisy_probes, lists.noisy_distractors) == (len(probes), len(distractors))


def test_identification_is_far_better_on_the_refined_lists(lists: MegaFaceLists) -> None:
    """As in Table 6 of the ArcFace paper: noise in probes and distractors costs many points of rank-1."""
    rank_1 = [r for r in lists.figures if r["figure"] == "rank-1"]
    before, after = (float(rank_1[-1][column].split()[0]) for column in ("as it came", "refined"))
    assert after > 0.97
    assert before < after - 0.1
    assert rank_1[0]["distractors"] == 10


def test_a_published_list_is_compared_with(planted: Planted, lists: MegaFaceLists) -> None:
    agreed = lists.published[DISTRACTOR_LIST]
    assert agreed.both + agreed.ours_only == lists.noisy_distractors
    assert agreed.both + agreed.theirs_only == len(planted.distractors) - 1
    assert agreed.both > agreed.ours_only
    agreed = lists.published[PROBE_LIST]
    assert agreed.both + agreed.ours_only == lists.noisy_probes
    assert agreed.theirs_only <= 0.05 * len(planted.probes)


def test_answers_about_distractors_overrule_the_search(planted: Planted, lists: MegaFaceLists, tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    shutil.copytree(planted.root, root)
    refinement = latest(root)
    rows = refinement.photos.read(["face_id", "key", "identity"]).to_pylist()
    unnamed = {r["face_id"]: r["key"] for r in rows if r["identity"] is None}
    about_them = [c for c in find_cases(refinement) if c.finding.subject in unnamed]
    assert about_them
    assert len({c.finding.subject for c in about_them}) == len(about_them), "each is a question of its own"
    questions = composed(refinement, about_them)
    assert {q.question.left_name for q in questions} == {"a photo without a name"}
    listed_now = listed(lists, DISTRACTOR_LIST)
    short = {f: "/".join(key.split("/")[-3:]) for f, key in unnamed.items()}
    verdicts = {f: "no" if short[f] in listed_now else "yes" for f in (c.finding.subject for c in about_them)}
    ledger.append(
        root,
        [LedgerRow(c.finding, verdicts[c.finding.subject], "truth", "truth", answer_id=c.id) for c in about_them],
    )
    again = label_again(root, settled_verdicts)
    assert again.account.kept == refinement.account.kept, "labels do not rest on strangers"
    after = megaface(root, tmp_path / "lists", draws=0)
    expected = {name for name in listed_now if "no" not in {verdicts.get(f) for f, n in short.items() if n == name}}
    expected |= {short[f] for f, verdict in verdicts.items() if verdict == "yes"}
    assert listed(after, DISTRACTOR_LIST) == expected != listed_now
    assert after.answered == len(verdicts)


def test_mistakes_are_one_line(planted: Planted, models: dict, tmp_path: Path) -> None:
    probes = sorted(p for p in Path(latest(planted.root).options.sources["tree"][1]).iterdir() if "@" not in str(p))
    for folder in probes[-3:]:
        shutil.copytree(folder, tmp_path / "tree" / folder.name)
    World(tmp_path / "tree", [], models).refine(tmp_path / "root", "megaface", str(tmp_path / "tree"))
    with pytest.raises(UserError, match="holds no unnamed photo with a face"):
        megaface(str(tmp_path / "root"), tmp_path)
    with pytest.raises(UserError, match=re.escape(f"cannot read the published list {tmp_path}/{PROBE_LIST}")):
        megaface(planted.root, tmp_path, published=str(tmp_path))
    with pytest.raises(UserError, match="--distractor-far 2"):
        megaface(planted.root, tmp_path, distractor_far=2)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the lists"):
        megaface(planted.root, tmp_path / "file/out")
