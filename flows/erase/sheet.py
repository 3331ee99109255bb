"""The sheet of an erasure: an HTML page with the faces that were found, their scores, and the paths of the photos."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

from pipeline.errors import UserError
from pipeline.printable import printable
from pipeline.whole_files import write_whole

GENERATOR = '<meta name="generator" content="refinery erase">'
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_FACES = 2000  # on a sheet; the paths are all listed
STYLE = """body { font:15px sans-serif; margin:1.5em; overflow-wrap:anywhere; } img { width:112px; height:112px;
  background:#ccc; } figure { display:inline-block; width:130px; margin:4px; vertical-align:top; font-size:12px; }"""


def write_sheet(file: Path, faces: Sequence[tuple[bytes | None, str, str]], paths: Sequence[str]) -> None:
    """Write the sheet. faces: JPEG, first and second line of the caption. Raises UserError where it cannot."""
    figures = "".join(_figure(*face) for face in faces[:MOST_FACES])
    listed = "\n".join(escape(printable(path)) for path in paths)
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{GENERATOR}'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>To be erased</title>'
        f"<style>{STYLE}</style></head><body><h1>{len(paths)} photos to be erased</h1>"
        "<p>Scores are standard deviations above those of other people; none: the same picture as another one here, or "
        "in one cluster with it. This page shows faces: delete it when you have looked at it.</p>"
        f"{figures}<h2>Their files in your sources, which refinery does not touch: delete them yourself</h2>"
        f"<pre>{listed}</pre></body></html>\n"
    )
    if not file.parent.is_dir():
        raise UserError(f"cannot write {file}: there is no folder {file.parent}: give --out a file in one that exists")
    try:
        write_whole(file, text)
    except OSError as error:
        raise UserError(f"cannot write {file} ({error.strerror or error}): give another --out") from None


def _figure(jpeg: bytes | None, first: str, second: str) -> str:
    source = f' src="data:image/jpeg;base64,{b64encode(jpeg).decode()}"' if jpeg else ""
    caption = f"{escape(printable(first))}<br>{escape(printable(second))}"
    return f'<figure><img alt=""{source}><figcaption>{caption}</figcaption></figure>'
