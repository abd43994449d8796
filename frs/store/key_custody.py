"""Who keeps the key-encryption keys: a file beside the wrapped keys, or a key management service.

The keyring names the key-encryption key that its keys are wrapped with; a custody finds it by that name, makes
another when the keyring rotates, and destroys what is no longer wanted. That order makes rotation safe wherever the
process dies: ``create`` first, then every key is wrapped anew in one transaction of the keyring, which changes the
name, then ``keep_only``. Opening a keyring calls ``keep_only`` with the name found, which finishes or takes back a
rotation that was interrupted.

``store.kek`` is ``file``, or ``module:Class`` of a class that keeps :class:`KeyCustody`'s promises; ``docs/backup.md``
says what they are, and ``tests/store/custody_contract.py`` tests them.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Protocol, Self, cast

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.durable import sync_folder
from frs.store.kek import KeyEncryptionKey, LocalKeyEncryptionKey, create_kek_file, read_kek_file

KEK_FILE = "kek"
NEXT_KEK_FILE = "kek.next"


class KeyCustody(Protocol):
    """Keeps key-encryption keys. One process uses it at a time, under the keyring's lock."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect to where the keys are. Raises FrsError(SETTINGS_INVALID, KEY_MISSING)."""
        ...

    def prepared(self) -> KeyEncryptionKey | None:
        """Return a key that somebody laid ready for a new keyring, or None."""
        ...

    def create(self) -> KeyEncryptionKey:
        """Make a new key beside those in use. It survives a power cut when this returns."""
        ...

    def get(self, key_id: str) -> KeyEncryptionKey:
        """Return the key of this name. Raises FrsError: KEY_MISSING when there is none, KEY_WRONG when it is others."""
        ...

    def keep_only(self, key_id: str) -> None:
        """Destroy every key but this one, for ever. Again is harmless; call it only with a key that exists."""
        ...


class FileCustody:
    """The key-encryption key as a file in the keyring's folder: ``kek``, and ``kek.next`` during a rotation.

    A destroyed key's file is overwritten before it is removed or replaced. That reaches the bytes on a disk that
    writes in place; on one that does not, encrypt the volume.
    """

    def __init__(self, folder: Path) -> None:
        self._current = folder / KEK_FILE
        self._next = folder / NEXT_KEK_FILE

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Look in the keyring's folder."""
        return cls(settings.keyring_path)

    def prepared(self) -> KeyEncryptionKey | None:
        """Return the key of the file ``kek`` where there is one."""
        return read_kek_file(self._current) if self._current.exists() else None

    def create(self) -> KeyEncryptionKey:
        """Write a new key, in place of an unfinished one."""
        path = self._next if self._current.exists() else self._current
        if path.exists():
            _destroy(path)
        create_kek_file(path)
        return read_kek_file(path)

    def get(self, key_id: str) -> KeyEncryptionKey:
        """Return the key of this name from either file."""
        for path in (self._current, self._next):
            if (kek := _read(path)) is not None and kek.id == key_id:
                return kek
        found = read_kek_file(self._current)  # says that it is missing, or no key
        message = f"The key-encryption key {found.id} does not open this keyring, which needs {key_id}."
        raise FrsError(Reason.KEY_WRONG, message)

    def keep_only(self, key_id: str) -> None:
        """Put the key of this name in ``kek``; overwrite and remove the other."""
        following = _read(self._next)
        if following is not None and following.id == key_id:
            if self._current.exists():
                _overwrite(self._current)
            self._next.replace(self._current)
            sync_folder(self._current.parent)
        elif self._next.exists():
            _destroy(self._next)


class HeldKey:
    """Custody of one key that the caller holds: it neither makes nor destroys any."""

    def __init__(self, kek: KeyEncryptionKey) -> None:
        self._kek = kek

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """There is none in the settings."""
        raise FrsError(Reason.SETTINGS_INVALID, f"store.kek: {settings.store.kek} cannot be configured.")

    def prepared(self) -> KeyEncryptionKey:
        """Return the key."""
        return self._kek

    def create(self) -> KeyEncryptionKey:
        """Refuse."""
        raise FrsError(Reason.KEY_MISSING, "This keyring was opened with one key-encryption key and cannot be rotated.")

    def get(self, key_id: str) -> KeyEncryptionKey:
        """Return the key, whose first use says whether it is the one."""
        del key_id
        return self._kek

    def keep_only(self, key_id: str) -> None:
        """There is no other."""


def open_custody(settings: Settings) -> KeyCustody:
    """Return the custody that ``store.kek`` names. Raises FrsError(SETTINGS_INVALID) when there is no such class."""
    if settings.store.kek == "file":
        return FileCustody.from_settings(settings)
    module, _, name = settings.store.kek.partition(":")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"store.kek: there is no class {settings.store.kek!r}; write file, or module:Class ({error})."
        raise FrsError(Reason.SETTINGS_INVALID, message) from error
    return cast("KeyCustody", kind.from_settings(settings))


def _read(path: Path) -> LocalKeyEncryptionKey | None:
    """Return a file's key; None when it is not there or is none, as an interrupted write or destruction leaves it."""
    try:
        return read_kek_file(path)
    except FrsError:
        return None


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())


def _destroy(path: Path) -> None:
    _overwrite(path)
    path.unlink()
    sync_folder(path.parent)
