"""The files of a local Label Studio: which ones only the owner can read, and which ones pages may show.

FOLDER holds data/, token, password, url and server.log, for the owner's eyes. Beside it are `files` with the pictures,
and `served`, which holds nothing but a link to `files`: Label Studio gives annotators only what is below `served`.
"""

import hashlib
import logging
import os
import secrets
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipeline.errors import UserError

log = logging.getLogger("refinery")
ACCOUNT = "owner@localhost.localdomain"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
PBKDF2_ROUNDS = 1_000_000  # those of the Django that Label Studio 1.23.2 comes with
RENEWED = (
    "an earlier version let annotators read the server's files: token, password and sign-up link were made anew, and "
    "everybody must log in again; use the new token, and remove accounts that you do not know (Organization page)"
)


def served_folder(folder: Path) -> Path:
    """The folder below which Label Studio serves files; folder: that of its own data."""
    return folder.absolute().parent / "served"


def media_folder(folder: Path) -> Path:
    """The folder for the pictures that pages show; folder: that of the server's own data."""
    return served_folder(folder) / "files"


def prepare(folder: Path) -> None:
    """Make the folder, its secrets and the folder that is served; nobody but the owner can read what is in it.

    Secrets of an earlier version, which served the folder to annotators, are made anew, and that is logged.
    Raises OSError where the folder cannot be written to, UserError where the server's database cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _make_private(folder)
    media, database = media_folder(folder), folder / "data" / "label_studio.sqlite3"
    (folder.parent / "files").mkdir(exist_ok=True)
    if database.exists() and not media.exists():
        _renew_secrets(folder, database)
    for path in (folder / "token", folder / "password"):
        if not path.exists():
            _write_private(path, secrets.token_hex(20) + "\n")
    served_folder(folder).mkdir(exist_ok=True)
    if not media.is_symlink():
        media.symlink_to("../files")
    if database.exists():
        _keep_storages_in(media, database)
        _accept_tokens(database)


def sign_up_key(folder: Path) -> str:
    """The key without which Label Studio makes no account; folder: that of a server's data."""
    with _open_database(folder / "data" / "label_studio.sqlite3") as connection:
        key = connection.execute("SELECT token FROM organization ORDER BY id LIMIT 1").fetchone()
    return str(key[0]) if key else ""


@contextmanager
def _open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """The database of a server; changes are kept when the block ends. Raises UserError where it cannot be used."""
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            yield connection
    except sqlite3.Error as error:
        raise UserError(
            f"cannot use the database {path} ({error}): end other servers that use it, or move its folder away"
        ) from None


def _make_private(folder: Path) -> None:
    folder.chmod(PRIVATE_FOLDER)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE), "w") as stream:
        stream.write(text)


def _renew_secrets(folder: Path, database: Path) -> None:
    """Replace every secret that the folder holds: the owner's password, all tokens, the sign-up link, the signing key.

    Label Studio takes account and token from the environment at its first start only, so its database is changed here.
    """
    token, password = secrets.token_hex(20), secrets.token_hex(20)
    _write_private(folder / "token", token + "\n")
    _write_private(folder / "password", password + "\n")
    with _open_database(database) as connection:
        if not _is_complete(connection):
            return
        owner = connection.execute("SELECT id FROM htx_user WHERE email = ?", (ACCOUNT,)).fetchone()
        for (user,) in connection.execute("SELECT user_id FROM authtoken_token").fetchall():
            key = token if owner and user == owner[0] else secrets.token_hex(20)
            connection.execute("UPDATE authtoken_token SET key = ? WHERE user_id = ?", (key, user))
        connection.execute("UPDATE htx_user SET password = ? WHERE email = ?", (_password_hash(password), ACCOUNT))
        connection.execute("UPDATE organization SET token = ?", (secrets.token_hex(20),))
    (folder / "data" / ".env").unlink(missing_ok=True)  # the key that signs sessions and personal tokens
    log.warning(RENEWED)


def _password_hash(password: str) -> str:
    """The form in which Django keeps a password (PBKDF2PasswordHasher)."""
    salt = secrets.token_hex(11)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), PBKDF2_ROUNDS)
    return f"pbkdf2_sha256${PBKDF2_ROUNDS}${salt}${b64encode(digest).decode()}"


def _keep_storages_in(media: Path, database: Path) -> None:
    """Let every local storage of a project lead to the pictures: those of an earlier version lead elsewhere."""
    with _open_database(database) as connection:
        if _is_complete(connection):
            connection.execute("UPDATE io_storages_localfilesmixin SET path = ?1 WHERE path != ?1", (str(media),))


def _accept_tokens(database: Path) -> None:
    """Let the server accept the tokens of programs again: in an earlier version every account could switch them off."""
    with _open_database(database) as connection:
        if "jwt_auth_jwtsettings" in _tables(connection):
            connection.execute("UPDATE jwt_auth_jwtsettings SET api_tokens_enabled = 1, legacy_api_tokens_enabled = 1")


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def _is_complete(connection: sqlite3.Connection) -> bool:
    """Whether the first start, which makes the tables of the database, got as far as the account."""
    needed = {"htx_user", "authtoken_token", "organization", "io_storages_localfilesmixin"}
    return needed <= _tables(connection)
