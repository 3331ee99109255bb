"""What a data set of the Hugging Face hub has beside its files: the YAML at the top of its card, and croissant.json.

The card is the data card of every export. The licence is the user's to state: without one it is "unknown".
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.printable import printable
from pipeline.refined.data_card import title
from pipeline.refined.export import CARD, CROISSANT, Files
from pipeline.refined.formats.croissant import croissant
from pipeline.refined.formats.huggingface import FEATURES, FOLDER, SPLIT
from pipeline.refined.review_summary import ReviewSummary
from pipeline.refinement import Refinement
from pipeline.tables.storage import json_bytes

LICENCE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.+-]*|https?://[^\s\"'<>]+)?")
UNKNOWN = "unknown"  # an identifier that the hub knows
# numbers of photos below which the hub calls a data set so
SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}
LARGER = "10M<n<100M"


def add_hub_files(
    refinement: Refinement, folder: Path, shards: Files, *, review: ReviewSummary, identities: int, licence: str
) -> None:
    """Put the YAML before the data card in `folder`, and write croissant.json beside it.

    shards: as huggingface.write_shards() returns them; the rest as for data_card.write_card().
    """
    card = folder / CARD
    card.write_text(front_matter(title(refinement), shards, licence) + card.read_text("utf-8"), "utf-8")
    described = croissant(refinement, shards, review=review, identities=identities, licence=licence or UNKNOWN)
    (folder / CROISSANT).write_bytes(json_bytes(described))


def front_matter(name: str, shards: Files, licence: str) -> str:
    """The YAML at the top of a card, between its lines of dashes; name: of the data set, in any characters."""
    photos, arrow_bytes, file_bytes = (_total(shards, key) for key in ("rows", "arrow_bytes", "bytes"))
    features = [{"name": column, "dtype": f.get("dtype", f["_type"].lower())} for column, f in FEATURES.items()]
    fields: dict[str, Any] = {
        **licence_fields(licence),
        "pretty_name": printable(name),
        "task_categories": ["image-feature-extraction"],
        "tags": ["face-recognition", "croissant"],
        "size_categories": [next((s for n, s in SIZES.items() if photos < n), LARGER)],
        # without it the lists of changes, which are Parquet as well, would be taken for data
        "configs": [{"config_name": "default", "data_files": [{"split": SPLIT, "path": f"{FOLDER}/{SPLIT}-*"}]}],
        "dataset_info": {
            "features": features,
            "splits": [{"name": SPLIT, "num_bytes": arrow_bytes, "num_examples": photos}],
            "download_size": file_bytes,
            "dataset_size": arrow_bytes,
        },
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def check_licence(licence: str) -> None:
    """Raise UserError for a licence that is neither an identifier nor an address."""
    if not LICENCE.fullmatch(licence):
        raise UserError(f"--licence {licence}: give an identifier like cc-by-nc-4.0, or the address of its text")


def licence_fields(licence: str) -> dict[str, str]:
    """The hub's fields: an identifier in small letters, or "other" with the address of the text."""
    if not re.match("https?://", licence):
        return {"license": licence.lower() or UNKNOWN}
    return {"license": "other", "license_name": "see-link", "license_link": licence}


def _total(shards: Sequence[dict[str, Any]], key: str) -> int:
    return sum(shard[key] for shard in shards)
