"""Making a keyring: what ``frs init`` leaves in the keyring's folder, and the names of its files and secrets."""

from __future__ import annotations

import secrets
from pathlib import Path

from frs.store.durable import make_folder
from frs.store.kek import KEY_BYTES, KeyEncryptionKey, create_kek_file, read_kek_file
from frs.store.keyfile import KeyFile
from frs.store.lock import FolderLock

KEK_FILE = "kek"
KEYS_FILE = "keyring.sqlite"
PSEUDONYM_SECRET = "pseudonym"  # noqa: S105  # the name of a secret
LOG_SIGNING_SECRET = "log-signing"  # noqa: S105


def create_keyring(path: Path, kek: KeyEncryptionKey | None = None) -> None:
    """Make a keyring: key-encryption key (unless one is given), pseudonym key and the log's signing key.

    One that is there stays as it is; one that an interrupted call left unfinished is finished.
    Raises FrsError: KEY_MISSING when there are keys but not the file that opens them, DATA_DIRECTORY_IN_USE.
    """
    make_folder(path)
    lock = FolderLock(path)
    try:
        if kek is None and not (path / KEK_FILE).exists() and not (path / KEYS_FILE).exists():
            create_kek_file(path / KEK_FILE)
        kek = kek or read_kek_file(path / KEK_FILE)
        file = KeyFile(path / KEYS_FILE)
        names = (PSEUDONYM_SECRET, LOG_SIGNING_SECRET)
        wrapped = {name: kek.wrap(secrets.token_bytes(KEY_BYTES), secret_context(name)) for name in names}
        file.add_secrets(wrapped, kek.id)
        file.close()
    finally:
        lock.release()


def secret_context(name: str) -> bytes:
    """Return what a secret of the installation is bound to when it is wrapped."""
    return b"secret\x00" + name.encode("utf-8")
