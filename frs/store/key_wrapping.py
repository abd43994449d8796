"""How a keyring's keys are wrapped: the key-encryption key in use, and its rotation.

Each key and secret is wrapped under the name of its owner, so that none passes for another's; which key-encryption key
is wanted, the keyring's file says. A rotation wraps everything anew, bounded numbers at a time, and changes over in one
commit of the file: killed at any step, the keyring opens with one key or the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from frs.store.kek import KeyEncryptionKey
from frs.store.key_custody import KeyCustody
from frs.store.keyfile import KeyFile
from frs.store.keyring_creation import secret_context


@dataclass(frozen=True, slots=True)
class Rotation:
    """A change of the key-encryption key."""

    old_key: str
    new_key: str
    note: str
    rewrapped: int
    """Keys and secrets wrapped anew."""


class KeyWrapping:
    """Wraps and unwraps what a keyring's file holds. Its owner lets one thread change it; any may unwrap meanwhile."""

    def __init__(self, file: KeyFile, kek: KeyEncryptionKey, custody: KeyCustody) -> None:
        self._file = file
        self._kek = kek
        self._keks = {kek.id: kek}  # and the next one, during a rotation
        self._custody = custody

    @property
    def kek_id(self) -> str:
        """The name of the key-encryption key in use."""
        return self._kek.id

    def unwrapped(self, read: Callable[[], tuple[bytes, str] | None], context: bytes) -> bytes | None:
        """Unwrap what ``read`` finds with the key that it names; it is read again when a rotation came between.

        Raises FrsError(KEY_WRONG).
        """
        while (found := read()) is not None:
            wrapped, kek_id = found
            kek = self._keks.get(kek_id)
            if kek is not None or read() == found:
                return (kek or self._kek).unwrap(wrapped, context)
        return None

    def add_keys(self, keys: Mapping[str, bytes]) -> None:
        """Make owners' keys durable. Raises FrsError: STORAGE_FULL, STORAGE_FAILED."""
        self._file.add_keys({o: self._kek.wrap(k, owner_context(o)) for o, k in keys.items()}, self._kek.id)

    def rotate(self, note: str, report: Callable[[int, int], None] | None = None) -> Rotation:
        """Wrap all with a new key and destroy the old one; see :meth:`frs.store.keyring.Keyring.rotate`."""
        old, new = self._kek, self._custody.create()
        self._keks[new.id] = new
        said = {"old_key": old.id, "new_key": new.id, "note": note}

        def rewrap(kind: str, name: str, wrapped: bytes) -> bytes:
            context = secret_context(name) if kind == "secret" else owner_context(name)
            return new.wrap(old.unwrap(wrapped, context), context)

        try:
            count = self._file.rewrap(rewrap, new.id, json.dumps(said), report or _unreported)
        except BaseException:
            # The file says which key is wanted, whatever failed; if it cannot be read, both stay until it can.
            self._use(new if self._file.kek_id() == new.id else old)
            raise
        self._use(new)
        return Rotation(old.id, new.id, note, count)

    def unlogged(self) -> Rotation | None:
        """Return the rotation that was carried out and not yet reported to :meth:`logged`; its count is not known."""
        said = self._file.unlogged_rotation()
        if said is None:
            return None
        parts = json.loads(said)
        return Rotation(parts["old_key"], parts["new_key"], parts["note"], 0)

    def logged(self) -> None:
        """Forget the last rotation: the log holds it."""
        self._file.rotation_logged()

    def _use(self, kek: KeyEncryptionKey) -> None:
        """Use one of two keys from now on and destroy the other."""
        self._kek = kek
        self._custody.keep_only(kek.id)
        self._keks = {kek.id: kek}


def owner_context(owner: str) -> bytes:
    """Return what an owner's key is bound to when it is wrapped."""
    return b"owner\x00" + owner.encode("utf-8")


def _unreported(done: int, total: int) -> None:
    """Tell nobody."""
    del done, total
