"""The columns of most tables, and the two ids, face_id and finding_id, by which tables refer to each other.

The tables photos, faces, embeddings and clusters have the same rows in the same order, shard by shard. A missing value
is null.
"""

from hashlib import blake2b

import pyarrow as pa

ID_BYTES = 10  # 80 bits: among 10^8 rows the chance of one collision is 4e-9

PHOTOS = pa.schema(
    [
        ("face_id", pa.string()),
        ("source", pa.string()),  # the name of the source
        ("key", pa.string()),  # the photo's name within its source
        ("identity", pa.string()),  # the claimed identity; null: the photo is unnamed
        # the face that the photo is about: x1, y1, x2, y2; relative to the photo's sides when all are at most 1
        ("box", pa.list_(pa.float32(), 4)),
        ("file", pa.string()),  # relative to the source's path; "" is the path itself
        ("offset", pa.int64()),  # of the photo's first byte in the file
        ("length", pa.int64()),  # of the photo in bytes
        ("modified", pa.int64()),  # when the file was last changed, nanoseconds; read when it was indexed
        ("failure", pa.string()),  # why this line of the source names no photo; null: it names one
    ]
)
FACES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("sha", pa.string()),  # SHA-256 of the photo's bytes
        ("sketch", pa.binary()),  # grey picture of 40x40 pixels, by which duplicates are recognised (faces/sketch.py)
        ("jpeg", pa.binary()),  # the aligned face, 112x112
        ("landmarks", pa.list_(pa.float32(), 10)),  # x, y of five points in the photo's pixels
        ("score", pa.float32()),  # the detector's confidence in the face
        ("others", pa.int16()),  # number of further faces in the photo
        # the next four: see faces/quality.py
        ("sharpness", pa.float32()),
        ("exposure", pa.float32()),
        ("yaw", pa.float32()),  # degrees
        ("size_px", pa.float32()),
        ("failure", pa.string()),  # "unreadable: ...", "no_face: ..." or "erased: ..."; null: there is a face
    ]
)
# the further faces of the photos; their columns of faces mean what they mean there, face_id is the further face's own
CANDIDATES = pa.schema(
    [
        *(field for field in FACES if field.name not in ("sha", "others", "failure")),
        ("photo", pa.string()),  # the face_id of the photo, under which the faces table has its main face
        ("box", pa.list_(pa.float32(), 4)),  # x1, y1, x2, y2 in the photo's pixels
        ("inside", pa.float32()),  # share of the aligned face that lies in the photo; the border cuts the others
    ]
)
FINDINGS = pa.schema(
    [
        ("finding_id", pa.string()),
        ("kind", pa.string()),  # outlier, duplicate, merge, ...
        ("subject", pa.string()),  # the face, identity or person that the finding is about
        ("object", pa.string()),  # its counterpart, such as the original of a duplicate; null: none
        ("score", pa.float32()),  # by the first embedder; of some kinds a correlation or a size: see noise/policy.py
        ("second", pa.float32()),  # the same score by the second embedder
        ("evidence", pa.string()),  # the reason in words, shown to annotators
        # of an outlier the probability that the finding is right, by the fused score, and the lowest by the embedders'
        # own scores (noise/outliers/); of a merge 0.5 if the photos of both never mix; null: not estimated
        ("probability", pa.float32()),
        ("least_probability", pa.float32()),
    ]
)
DECISIONS = pa.schema(
    [
        ("finding_id", pa.string()),
        ("verdict", pa.string()),  # whether the finding is right: yes, no, unsure
        ("who", pa.string()),  # the annotators or the list that decided; "policy": no person did
        ("group", pa.string()),  # the group of annotators
        ("at", pa.timestamp("us", tz="UTC")),
        ("seconds", pa.float32()),  # that the answer took
    ]
)
LEDGER = pa.schema(
    [
        *DECISIONS,
        # kind, subject and object of the finding: they keep the answer readable when the finding is gone
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("object", pa.string()),
        # a face of the subject when the question was asked: it identifies the person even if clusters get other names
        ("face", pa.string()),
        ("other", pa.string()),  # a face of the object, likewise
        ("choice", pa.string()),  # the button that the annotator pressed
        ("knows", pa.bool_()),  # whether the annotator knows the person
        # case, gold, audit: questions to people; policy: the policy's verdict; list, truth: these decide without a vote
        ("purpose", pa.string()),
        ("expected", pa.string()),  # of a gold question: the known verdict
        ("belief", pa.float32()),  # of the policy's verdict: the probability that the finding is right
        ("answer_id", pa.string()),
    ]
)
# columns of a single answer, which a verdict by several people's votes does not have
SINGLE_ANSWER_COLUMNS = ("choice", "knows", "purpose", "expected", "belief", "answer_id")
ANSWERS = pa.schema([f for f in LEDGER if f.name not in SINGLE_ANSWER_COLUMNS])
LABELS = pa.schema(
    [
        ("face_id", pa.string()),
        ("key", pa.string()),
        ("claimed", pa.string()),  # the identity that the source gives
        ("identity", pa.string()),  # the identity after refinement; null: removed
        ("reason", pa.string()),  # "" when kept under the claimed identity
        # of the finding that decided; null: none did
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
# jpeg: the aligned face, 112x112; null: there is none
TEST_FACES = pa.schema([("face_id", pa.string()), ("identity", pa.string()), ("jpeg", pa.binary())])
PAIRS = pa.schema(
    [
        ("a", pa.string()),  # face_id
        ("b", pa.string()),
        ("same", pa.bool_()),  # whether both show one person
        ("fold", pa.int8()),  # of the cross-validation
        ("unit", pa.string()),  # the person of a; the bootstrap draws all pairs of one unit together
        ("other", pa.string()),  # the person of b, in test sets that compare every photo with every other
    ]
)


def embeddings(dim: int) -> pa.Schema:
    """The columns of an embeddings table: unit vectors [dim] in half precision, and the norm that the model gave."""
    return pa.schema(
        [
            ("face_id", pa.string()),
            ("identity", pa.string()),
            ("x", pa.binary(2 * dim)),  # float16, little-endian: np.frombuffer(x, "<f2")
            ("norm", pa.float32()),
        ]
    )


def digest(*words: str, size: int = ID_BYTES) -> str:
    """The BLAKE2b digest of several strings in hexadecimal, 2 x size characters; ("ab", "c") and ("a", "bc") differ."""
    hasher = blake2b(digest_size=size)
    for word in words:
        raw = word.encode("utf-8", "surrogateescape")
        hasher.update(len(raw).to_bytes(8, "little"))
        hasher.update(raw)
    return hasher.hexdigest()


def face_id(source: str, key: str) -> str:
    """The id of a photo and of its face: the same in every run and with every model."""
    return digest("face", source, key)


def candidate_id(photo: str, number: int) -> str:
    """The id of a further face of a photo; photo: the photo's face_id, number: of the face in the photo."""
    return digest("candidate", photo, str(number))


def finding_id(kind: str, subject: str, object: str | None = None) -> str:
    """The id of a finding: the same in every run, so that an answer from an earlier run still counts."""
    return digest("finding", kind, subject, object or "")
