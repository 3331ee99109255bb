"""The columns of every table on one page, and the two ids that everything else refers to.

photos, faces, embeddings and clusters hold the same rows in the same order, shard by shard; a missing value is null.
"""

from hashlib import blake2b

import pyarrow as pa

ID_BYTES = 10  # 80 bits: among 10^8 rows the chance of one collision is 4e-9

PHOTOS = pa.schema(
    [
        ("face_id", pa.string()),
        ("source", pa.string()),
        ("key", pa.string()),
        ("identity", pa.string()),
        ("box", pa.list_(pa.float32(), 4)),  # x1, y1, x2, y2; relative to the photo when all are at most 1
        ("file", pa.string()),  # relative to the source's path; "" is the path itself
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("modified", pa.int64()),  # of the file when it was indexed, nanoseconds
        ("failure", pa.string()),  # a line that names no photo
    ]
)
FACES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("sha", pa.string()),  # SHA-256 of the photo's bytes
        ("sketch", pa.binary()),  # small picture of the aligned face, by which duplicates are told from lookalikes
        ("jpeg", pa.binary()),  # 112x112
        ("landmarks", pa.list_(pa.float32(), 10)),  # x, y of five points in the photo's pixels
        ("score", pa.float32()),  # the detector's
        ("others", pa.int16()),  # further faces seen
        ("sharpness", pa.float32()),
        ("exposure", pa.float32()),
        ("yaw", pa.float32()),  # degrees
        ("size_px", pa.float32()),  # see faces.quality.face_size
        ("failure", pa.string()),  # "unreadable: ..." or "no_face: ..."
    ]
)
FINDINGS = pa.schema(
    [
        ("finding_id", pa.string()),
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("object", pa.string()),
        ("score", pa.float32()),
        ("second", pa.float32()),  # the same score by the second embedder
        ("evidence", pa.string()),
    ]
)
DECISIONS = pa.schema(
    [
        ("finding_id", pa.string()),
        ("verdict", pa.string()),  # yes, no, unsure
        ("who", pa.string()),
        ("group", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("seconds", pa.float32()),
    ]
)
LEDGER = pa.schema(
    [
        *DECISIONS,
        ("kind", pa.string()),  # of the finding, with its subject and object: an answer can be read without the finding
        ("subject", pa.string()),
        ("object", pa.string()),
        # a face that the subject had when the question was asked: it tells the person when names of clusters change
        ("face", pa.string()),
        ("other", pa.string()),  # the same of the object
        ("choice", pa.string()),  # what was chosen on the page
        ("knows", pa.bool_()),  # whether the annotator knows the person
        (
            "purpose",
            pa.string(),
        ),  # case, gold, audit; policy: the machine's view; list, truth: an answer that decides by itself
        ("expected", pa.string()),  # of gold: the known verdict
        ("belief", pa.float32()),  # of the machine's view: the probability that the finding is right
        ("answer_id", pa.string()),
    ]
)
OF_ONE_ANSWER = (
    "choice",
    "knows",
    "purpose",
    "expected",
    "belief",
    "answer_id",
)  # columns that votes of several people do not share
ANSWERS = pa.schema([f for f in LEDGER if f.name not in OF_ONE_ANSWER])
LABELS = pa.schema(
    [
        ("face_id", pa.string()),
        ("key", pa.string()),
        ("claimed", pa.string()),
        ("identity", pa.string()),  # null: removed
        ("reason", pa.string()),  # "" when kept under the claimed identity
        ("score", pa.float32()),
        ("finding_id", pa.string()),
    ]
)
IDENTITIES = pa.schema([("label", pa.int64()), ("identity", pa.string()), ("photos", pa.int64())])
REFINED = pa.schema(
    [
        ("face_id", pa.string()),
        ("key", pa.string()),
        ("identity", pa.string()),
        ("label", pa.int64()),
        ("jpeg", pa.binary()),
    ]
)
TEST_FACES = pa.schema([("face_id", pa.string()), ("identity", pa.string()), ("jpeg", pa.binary())])  # 112x112, or null
PAIRS = pa.schema(
    [
        ("a", pa.string()),  # face_id
        ("b", pa.string()),
        ("same", pa.bool_()),
        ("fold", pa.int8()),
        ("unit", pa.string()),  # pairs of one unit are drawn together by the bootstrap: the person of a
        ("other", pa.string()),  # the person of b, in test sets that ask every pair of photos
    ]
)


def embeddings(dim: int) -> pa.Schema:
    """The columns of an embeddings table: unit vectors [dim] in half precision, and their norm before."""
    return pa.schema(
        [
            ("face_id", pa.string()),
            ("identity", pa.string()),
            ("x", pa.binary(2 * dim)),  # float16, little-endian: np.frombuffer(x, "<f2")
            ("norm", pa.float32()),
        ]
    )


def digest(*words: str, size: int = ID_BYTES) -> str:
    """A BLAKE2b digest of words as 2 x size hex characters; ("ab", "c") and ("a", "bc") differ."""
    hasher = blake2b(digest_size=size)
    for word in words:
        raw = word.encode("utf-8", "surrogateescape")
        hasher.update(len(raw).to_bytes(8, "little"))
        hasher.update(raw)
    return hasher.hexdigest()


def face_id(source: str, key: str) -> str:
    """The id of a photo and of its face: the same in every run and with every model."""
    return digest("face", source, key)


def finding_id(kind: str, subject: str, object: str | None = None) -> str:
    """The id of a finding: the same in every run, so that an answer given once still counts."""
    return digest("finding", kind, subject, object or "")
