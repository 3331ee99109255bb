"""Names of persons and identities as folders: whatever a data set calls them, one folder each, without blanks.

Tables of truth separate persons by blanks, and hidden or system folders are no identities.
"""

from collections.abc import Iterable
from hashlib import blake2b

PLAIN = frozenset("_-.,()+")  # besides letters and digits of any script
MAX_BYTES = 120  # of 255 that most file systems allow: a suffix or an escape may follow
SYSTEM = frozenset({"recycler", "recycled", "__macosx", "__pycache__", "_gsdata_", "thumbs.db", "con", "nul"})
SYSTEM_ENDINGS = (".lrdata", ".photoslibrary", ".aplibrary", ".migratedphotolibrary")


def folder_names(identities: Iterable[str]) -> dict[str, str]:
    """A folder's name for each identity, all different.

    Letters, digits and PLAIN stay; other characters become %XX, and a long name ends with a digest.
    """
    return {identity: _folder_name(identity) for identity in identities}


def _folder_name(identity: str) -> str:
    words = "".join(_escaped(c) for c in identity)
    is_system = words.lower() in SYSTEM or words.lower().endswith(SYSTEM_ENDINGS)
    if words.startswith(".") or is_system or not words:
        words = f"%{words}"  # which no escape is, so that it is not another identity's
    if len(words.encode()) > MAX_BYTES:
        digest = blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        words = words.encode()[:MAX_BYTES].decode("utf-8", "ignore") + "%" + digest
    return words


def _escaped(character: str) -> str:
    if character.isalnum() or character in PLAIN:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
