"""The commands that a result proposes can be pasted into a shell, also where a path has blanks in it."""

import shlex

from flows.cli.result import Result
from flows.refine.patches.make import WrittenPatch
from flows.sample.plant import PlantedPhotos
from flows.train.flow import TrainedModel
from pipeline.sample.planting.mix import KINDS

FOLDER = "my 'photos'/x"


def commands(result: Result) -> list[list[str]]:
    """The words of the proposed commands, as a shell reads them."""
    return [shlex.split("refinery" + line.split("refinery", 1)[1]) for line in result.lines() if "refinery " in line]


def test_paths_with_blanks_are_quoted() -> None:
    (apply,) = commands(WrittenPatch(f"{FOLDER}/a.patch", 3, 100, "", ""))
    assert apply == ["refinery", "patch", "apply", "ROOT", f"{FOLDER}/a.patch"]
    no_noise = dict.fromkeys(KINDS, 0)
    refine, score = commands(PlantedPhotos(FOLDER, 3, 1, 1, 0, 0, has_test_set=True, wanted=no_noise, planted=no_noise))
    assert refine[2:7] == ["ROOT", "image-folder", f"{FOLDER}/photos", "--follow-links", "--test-set"]
    assert refine[7] == f"{FOLDER}/test"
    assert score[2:4] == ["ROOT", FOLDER]
    evaluate, _ = commands(TrainedModel(f"{FOLDER}/model.onnx", "", 3, 1, 1, None, {}))
    assert evaluate[2] == f"{FOLDER}/model.onnx"
