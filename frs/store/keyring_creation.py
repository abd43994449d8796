"""Making a keyring: what ``frs init`` leaves in the keyring's folder, and the names of its files and secrets."""

from __future__ import annotations

import secrets
from pathlib import Path

from frs.store.durable import make_folder
from frs.store.kek import KEY_BYTES, KeyEncryptionKey
from frs.store.key_custody import KEK_FILE, FileCustody, HeldKey, KeyCustody
from frs.store.keyfile import KeyFile
from frs.store.lock import FolderLock

__all__ = ["KEK_FILE", "KEYS_FILE", "LOG_SIGNING_SECRET", "PSEUDONYM_SECRET", "create_keyring", "secret_context"]

KEYS_FILE = "keyring.sqlite"
PSEUDONYM_SECRET = "pseudonym"  # noqa: S105  # the name of a secret
LOG_SIGNING_SECRET = "log-signing"  # noqa: S105


def create_keyring(path: Path, kek: KeyEncryptionKey | None = None, custody: KeyCustody | None = None) -> None:
    """Make a keyring: key-encryption key (unless one is given or laid ready), pseudonym key and log's signing key.

    One that is there stays as it is; one that an interrupted call left unfinished is finished.
    Raises FrsError: KEY_MISSING when there are keys but not the one that opens them, DATA_DIRECTORY_IN_USE.
    """
    make_folder(path)
    custody = custody_of(path, kek, custody)
    lock = FolderLock(path)
    try:
        file = KeyFile(path / KEYS_FILE)
        try:
            known = file.kek_id()
            if known is not None:
                kek = custody.get(known)
            elif (kek := custody.prepared()) is None:
                kek = custody.create()
            names = (PSEUDONYM_SECRET, LOG_SIGNING_SECRET)
            wrapped = {name: kek.wrap(secrets.token_bytes(KEY_BYTES), secret_context(name)) for name in names}
            file.add_secrets(wrapped, kek.id)
        finally:
            file.close()
    finally:
        lock.release()


def custody_of(path: Path, kek: KeyEncryptionKey | None, custody: KeyCustody | None) -> KeyCustody:
    """Return the custody given, that of the key given, or the files of the keyring's folder."""
    if custody is not None:
        return custody
    return FileCustody(path) if kek is None else HeldKey(kek)


def secret_context(name: str) -> bytes:
    """Return what a secret of the installation is bound to when it is wrapped."""
    return b"secret\x00" + name.encode("utf-8")
