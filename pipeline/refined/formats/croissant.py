"""A refined data set described in Croissant 1.1 with its responsible-AI fields (RAI 1.0), as croissant.json.

Formats: docs.mlcommons.org/croissant. Only what this program knows is stated: how the photos were collected, and what
the data set may be used for, is the sources' and the publisher's to say. Groups and names of annotators are not in it.
"""

from typing import Any

from pipeline.printable import printable
from pipeline.refined.data_card import (
    MODEL_BIAS,
    PERSONAL,
    UNCHECKED_NAMES,
    model_lines,
    summary,
    threshold_limit,
    title,
    today,
)
from pipeline.refined.export import IDENTITIES, Files
from pipeline.refined.formats.huggingface import FOLDER, SPLIT
from pipeline.refined.reasons import REMOVED
from pipeline.refined.review_summary import ReviewSummary, noise_left
from pipeline.refinement import Refinement

# the context that the specification gives, with the vocabulary of RAI
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
PARQUET, TABLE = "application/x-parquet", "text/tab-separated-values"
RECORDS, SHARDS = "photos", "shards"
FIELDS = {  # the columns of the shards, with their types and what they hold
    "label": ("sc:Integer", f"The number of the identity, 0, 1, 2..., as in {IDENTITIES}."),
    "identity": ("sc:Text", "The identity whose person the face shows."),
    "face_id": ("sc:Text", "The id of the photo and of its face."),
    "key": ("sc:Text", "The name of the photo within its source."),
}


def croissant(
    refinement: Refinement, shards: Files, *, review: ReviewSummary, identities: int, licence: str
) -> dict[str, Any]:
    """The description of an export for the hub as a JSON-LD object.

    shards: as huggingface.write_shards() returns them; identities: their number; licence: an identifier or an address.
    """
    photos = sum(int(str(shard["rows"])) for shard in shards)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": printable(title(refinement)),
        "description": printable(summary(refinement, photos=photos, identities=identities)),
        "license": licence,
        "datePublished": today(),
        # the labels' address stands for all that went into them
        "version": f"1.0.0+{refinement.labels.address}",
        "keywords": ["face recognition"],
        "distribution": [*(_file(shard) for shard in shards), _file_set()],
        "recordSet": [_records()],
        **{f"rai:{name}": text for name, text in _responsible_ai(refinement, review).items() if text},
    }


def _file(shard: dict[str, object]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard["path"],
        "name": shard["path"],
        "contentUrl": shard["path"],
        "contentSize": f"{shard['bytes']} B",
        "encodingFormat": PARQUET,
        "sha256": shard["sha256"],
    }


def _file_set() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": SHARDS,
        "name": SHARDS,
        "description": "All shards.",
        "encodingFormat": PARQUET,
        "includes": f"{FOLDER}/{SPLIT}-*.parquet",
    }


def _records() -> dict[str, Any]:
    image = _field("image", "sc:ImageObject", "The aligned face, 112x112 pixels.")
    image["source"]["transform"] = {"jsonPath": "bytes"}
    others = (_field(column, *of) for column, of in FIELDS.items())
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "A record for each face.",
        "field": [image, *others],
    }


def _field(column: str, type: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{column}",
        "name": column,
        "description": description,
        "dataType": type,
        "source": {"fileSet": {"@id": SHARDS}, "extract": {"column": column}},
    }


def _responsible_ai(refinement: Refinement, review: ReviewSummary) -> dict[str, str | list[str]]:
    """The fields of RAI 1.0 that follow from the refinement; an empty one says nothing."""
    account, options = refinement.account, refinement.options
    sources = ", ".join(f"{name} ({kind})" for name, (kind, _) in options.sources.items())
    removed = [f"{n} photos removed as {reason}: {REMOVED.get(reason, '')}" for reason, n in account.removed.items()]
    missing = sum(account.removed.get(reason, 0) for reason in ("unreadable", "no_face"))
    return {
        "dataCollection": printable(f"Sources: {sources}. Their makers say how the photos were collected."),
        "dataCollectionRawData": "The photos themselves are not part of this data set, only the aligned faces.",
        "dataCollectionMissingData": f"{missing} photos are left out that are not pictures or show no face.",
        "dataPreprocessingProtocol": [
            "Faces were detected, and aligned to 112x112 pixels by five landmarks.",
            *removed,
            f"{account.moved} photos were relabelled as another identity than claimed",
        ],
        "dataAnnotationProtocol": [
            "The sources claim an identity for each photo.",
            "Models find claims that look wrong; a policy of thresholds decides, and people where they were asked.",
        ],
        "dataAnnotationAnalysis": noise_left(refinement, review),
        "machineAnnotationTools": [printable(line) for line in model_lines(refinement)],
        "dataBiases": [MODEL_BIAS, threshold_limit(refinement)],
        "dataLimitations": [UNCHECKED_NAMES],
        "personalSensitiveInformation": [
            "Faces are biometric data of people, and identities may be their names.",
            PERSONAL,
        ],
    }
