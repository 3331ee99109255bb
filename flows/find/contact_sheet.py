"""A sheet of faces as a picture: the query, then the faces that may show the same person, best first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.faces.picture import Image
from pipeline.printable import printable
from pipeline.report.charts.drawing import save_figure
from pipeline.sources.formats.folder_walk import SHEET_MARK
from pipeline.whole_files import whole_file

COLUMNS = 6
SAME, OTHER = "#0072b2", "#b0b0b0"  # blue and grey, which the colour-blind can tell apart; line widths differ, too
EXIF_SOFTWARE = 0x0131  # the tag of the program that made a picture
CAPTION_LENGTH = 22  # letters under a face


class Tile(NamedTuple):
    """A face [112, 112, 3] in BGR, two lines of text under it, and whether its score passes the threshold."""

    face: Image
    first: str
    second: str
    same: bool


def draw_sheet(query: Image, tiles: Sequence[Tile], file: Path) -> None:
    """Write the sheet as the picture that the file's suffix names, PNG without one.

    The picture holds SHEET_MARK. Raises UserError when it cannot be written.
    """
    from matplotlib.figure import Figure  # a second to load, and only this command draws

    rows = 1 + -(-len(tiles) // COLUMNS)
    canvas = Figure(figsize=(1.5 * COLUMNS, 1.85 * rows), layout="constrained")
    axes = canvas.subplots(rows, COLUMNS, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    axes[0][0].imshow(query[..., ::-1])
    axes[0][0].set_title("query", fontsize=8)
    legend = "thick blue frame: same person\nat --far\n\nrank and cosine\nidentity"
    axes[0][1].text(0, 0.5, legend, fontsize=8, va="center", in_layout=False)
    for tile, axis in zip(tiles, axes[1:].flat, strict=False):
        axis.imshow(tile.face[..., ::-1])
        axis.axis("on")
        axis.set(xticks=[], yticks=[])
        second = tile.second if len(tile.second) <= CAPTION_LENGTH else f"…{tile.second[1 - CAPTION_LENGTH :]}"
        axis.set_xlabel(f"{tile.first}\n{printable(second)}", fontsize=7, parse_math=False)
        for spine in axis.spines.values():
            spine.set(color=SAME if tile.same else OTHER, linewidth=3 if tile.same else 1)
    suffix = file.suffix.lower().removeprefix(".") or "png"
    try:
        if not file.parent.is_dir():
            raise NotADirectoryError(f"there is no folder {file.parent}")
        with whole_file(file) as temporary:
            save_figure(canvas, temporary, format=suffix, dpi=110, **_mark(suffix))
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot write {file} ({error}): give --out a .png, .jpg or .svg in a folder that exists"
        ) from None


def _mark(suffix: str) -> dict[str, Any]:
    """The options of save_figure() that write SHEET_MARK into a picture of this kind: it is then known for a sheet."""
    from PIL import Image

    text = SHEET_MARK.decode()
    if suffix in ("png", "svg", "pdf"):
        return {"metadata": {"Software" if suffix == "png" else "Creator": text}}
    if suffix not in ("jpg", "jpeg", "webp", "tif", "tiff"):
        return {}
    exif = Image.Exif()
    exif[EXIF_SOFTWARE] = text
    return {"pil_kwargs": {"exif": exif}}
