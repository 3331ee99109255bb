"""The folder of a training that is ready to be published: model.onnx, model.safetensors and the model card.

Nothing else of the training is in it: no checkpoint with the names of identities, no face of a test set. The folder can
be given to huggingface_hub.upload_folder as it is. The same training gives the same bytes.
"""

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import PreparedPairs
from flows.train.release.card import Publication, card_text
from flows.train.release.figures import measure
from pipeline.errors import UserError
from pipeline.refined.export import CARD
from pipeline.refined.finished_export import EXPORTED
from pipeline.whole_files import whole_file, write_whole
from trainer import checkpoint
from trainer.safetensors_file import save_backbone
from trainer.train import TrainingResult

FOLDER = "release"  # in the folder of the training
ONNX, WEIGHTS, DATA_CARD = "model.onnx", "model.safetensors", "data_card.md"


def write_release(
    trained: TrainingResult,
    data: Path,
    test_sets: Mapping[str, tuple[PreparedPairs, str]],
    options: MeasureOptions,
    *,
    recipe: str,
    licence: str = "",
) -> Path:
    """Write the folder of a finished training and return it; the files of an earlier call are replaced.

    data: what was trained on, whose data card is put beside the model's. test_sets: see figures.measure(). Raises
    UserError where the folder cannot be written.
    """
    out = trained.checkpoint.parent
    folder = out / FOLDER
    saved = checkpoint.load(trained.checkpoint)
    net = checkpoint.build_backbone(saved.run)
    checkpoint.load_weights(net, saved, path=trained.checkpoint)
    try:
        folder.mkdir(exist_ok=True)
        save_backbone(net, saved.run, folder / WEIGHTS)
        with whole_file(folder / ONNX) as temporary:
            shutil.copyfile(trained.onnx, temporary)
        card_of_data = _data_card(data)
        if card_of_data is None:
            (folder / DATA_CARD).unlink(missing_ok=True)
        else:
            write_whole(folder / DATA_CARD, card_of_data)
        published = Publication(
            recipe=recipe,
            run=saved.run,
            start=saved.start,
            ranks=saved.ranks,
            photos=trained.photos,
            identities=trained.classes,
            data=saved.data,
            data_card="" if card_of_data is None else sha256((folder / DATA_CARD).read_bytes()).hexdigest(),
            files={name: _size_and_digest(folder / name) for name in (ONNX, WEIGHTS)},
            measured=measure(str(out / "tests"), folder / WEIGHTS, test_sets, options),
            draws=options.draws,
            licence=licence,
        )
        write_whole(folder / CARD, card_text(published, data_card=DATA_CARD))
    except OSError as error:
        raise UserError(f"cannot write {folder} ({error.strerror or error}): make room there, and run again") from None
    return folder


def _data_card(data: Path) -> str | None:
    """The data card that an export wrote beside the data, without the YAML at its top; None where there is none.

    Another README.md is the user's own, who did not write it to publish it.
    """
    file = (data.parent if data.is_file() else data) / CARD
    written = file.read_bytes() if file.is_file() else b""
    if not EXPORTED.search(written):
        return None
    text = written.decode("utf-8", "replace")
    if text.startswith("---\n") and "\n---\n" in text[4:]:
        text = text[4:].partition("\n---\n")[2].lstrip("\n")
    return text


def _size_and_digest(file: Path) -> tuple[int, str]:
    with open(file, "rb") as stream:
        hasher = sha256()
        while block := stream.read(1 << 20):
            hasher.update(block)
    return file.stat().st_size, hasher.hexdigest()
