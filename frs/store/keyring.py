"""The keyring: a key per owner, wrapped, in a folder apart from the database; destroying a key is the erasure.

A key made by :meth:`Keyring.key_or_new` lives in memory until the database's next commit, whose ``prepare`` makes it
durable first: so no committed data ever lacks its key. A destruction asked for inside an act is written into the
database's journal (``key_destruction``) with the act, and carried out after COMMIT, before the act's caller is
answered. What holds if the process dies:

* before ``prepare`` returned: nothing was committed; the new keys are forgotten with the data they sealed.
* between ``prepare`` and COMMIT: keys without data, which is harmless; no key was destroyed.
* between COMMIT and the destruction: the journal holds the intent and the next start carries it out (``attach``),
  before anything is read.
* after the destruction: the key is gone, from the file and its write-ahead log.

So data whose key is gone exists only where the act that destroyed it was committed. The same replay makes an older
copy of the keyring forget what the database knows to be destroyed. Keys in memory are Python bytes: they leave the
caches when destroyed, but the interpreter does not overwrite freed memory.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from frs.clock import Clock, SystemClock
from frs.errors import FrsError, Reason
from frs.store.kek import KEY_BYTES, KeyEncryptionKey
from frs.store.key_custody import KeyCustody
from frs.store.key_destructions import OwedDestructions, newest_position
from frs.store.key_wrapping import KeyWrapping, Rotation, owner_context
from frs.store.keycache import KeyCache
from frs.store.keyfile import KeyFile
from frs.store.keyring_creation import (
    KEYS_FILE,
    LOG_SIGNING_SECRET,
    PSEUDONYM_SECRET,
    create_keyring,
    custody_of,
    secret_context,
)
from frs.store.lock import FolderLock
from frs.store.transaction import CommitParticipant, Transaction

__all__ = ["LOG_SIGNING_SECRET", "PSEUDONYM_SECRET", "Keyring", "Rotation", "create_keyring"]


class Keyring(CommitParticipant):
    """An open keyring. Build it with :meth:`open`; every method may be called from any thread."""

    def __init__(
        self,
        path: Path,
        file: KeyFile,
        kek: KeyEncryptionKey,
        clock: Clock,
        lock: FolderLock,
        custody: KeyCustody,
    ) -> None:
        self.path = path
        """The keyring's folder."""
        self._file = file
        self._wrapping = KeyWrapping(file, kek, custody)
        self._clock = clock
        self._folder_lock = lock
        self._memory = threading.RLock()  # guards all below
        self._changing = threading.Lock()  # one change of the file at a time; taken before _memory
        self._cache = KeyCache()
        self._fresh: dict[str, bytes] = {}  # made, not yet durable
        self._dying: set[str] = set()
        self._destructions = 0  # counts, so that a reader that was overtaken by one does not cache what it read
        self._attached = False
        self._owed = OwedDestructions(clock, self._carry_out)

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock | None = None,
        kek: KeyEncryptionKey | None = None,
        custody: KeyCustody | None = None,
    ) -> Keyring:
        """Open a keyring and check that its key-encryption key opens it; a rotation that was interrupted is ended.

        Raises FrsError: NOT_INITIALISED, KEY_MISSING, KEY_WRONG, DATA_DIRECTORY_IN_USE.
        """
        if not (path / KEYS_FILE).exists():
            raise FrsError(Reason.NOT_INITIALISED, f"There is no keyring at {path}.")
        custody = custody_of(path, kek, custody)
        lock = FolderLock(path)
        try:
            file = KeyFile(path / KEYS_FILE)
        except FrsError:
            lock.release()
            raise
        try:
            wrapped_by = file.kek_id()
            if wrapped_by is None:
                raise FrsError(Reason.NOT_INITIALISED, f"The keyring at {path} is unfinished: it holds no secret.")
            kek = custody.get(wrapped_by)
        except BaseException:
            file.close()
            lock.release()
            raise
        keyring = cls(path, file, kek, clock or SystemClock(), lock, custody)
        try:
            keyring.secret(PSEUDONYM_SECRET)
            keyring.secret(LOG_SIGNING_SECRET)
            custody.keep_only(kek.id)
        except BaseException:
            keyring.close()
            raise
        return keyring

    def close(self) -> None:
        """Close the file and forget every key; again is harmless."""
        self._file.close()
        with self._memory:
            self._cache.clear()
            self._fresh.clear()
        self._folder_lock.release()

    def secret(self, name: str) -> bytes:
        """Return a secret of the installation, 32 bytes. Raises FrsError: NOT_INITIALISED, KEY_WRONG."""
        key = self._wrapping.unwrapped(lambda: self._file.secret(name), secret_context(name))
        if key is None:
            raise FrsError(
                Reason.NOT_INITIALISED, f"The keyring at {self.path} is unfinished: it lacks the {name} key."
            )
        return key

    def key(self, owner: str) -> bytes:
        """Return an owner's key, 32 bytes. Raises FrsError: KEY_MISSING when destroyed or never made, KEY_WRONG."""
        with self._memory:
            if (known := self._known(owner)) is not None:
                return known
            before = self._destructions
        key = self._wrapping.unwrapped(lambda: self._file.find(owner), owner_context(owner))
        if key is None:
            raise self._missing(owner)
        with self._memory:
            if before == self._destructions:
                self._cache.put(owner, key)
        return key

    def key_or_new(self, owner: str) -> bytes:
        """Return an owner's key, made now if there is none. Raises FrsError(KEY_MISSING) when it was destroyed."""
        with self._memory:
            if (known := self._known(owner)) is not None:
                return known
            key = self._wrapping.unwrapped(lambda: self._file.find(owner), owner_context(owner))
            if key is not None:
                self._cache.put(owner, key)
                return key
            if owner in self._dying or self._file.destroyed_at(owner) is not None:
                raise self._missing(owner)
            key = self._fresh[owner] = secrets.token_bytes(KEY_BYTES)
            attached = self._attached
        if not attached:
            self._make_durable()
        return key

    def destroy(self, *owners: str) -> None:
        """Destroy the owners' keys, for ever: they can neither be read nor made again.

        Inside an act it happens with the act's commit; elsewhere it is durable when this returns.
        """
        if not owners:
            return
        if not self._owed.with_act(owners):
            self._carry_out(owners, None)

    def destroyed(self, owner: str) -> bool:
        """Whether an owner's key has been destroyed."""
        return self._file.destroyed_at(owner) is not None

    def destroyed_among(self, owners: Sequence[str]) -> set[str]:
        """Return those of the owners whose key has been destroyed; ask for some hundreds at a time."""
        return self._file.destroyed_among(owners)

    def alive(self, owners: Sequence[str]) -> set[str]:
        """Return those of the owners that have a durable key; ask for some hundreds at a time."""
        return self._file.alive(owners)

    def destructions(self) -> Iterator[tuple[str, datetime]]:
        """Yield every owner whose key this keyring knows to be destroyed, and when, in order."""
        position = 0
        while batch := self._file.destroyed_after(position):
            for position, owner, at in batch:  # noqa: B007  # the last one is where the next batch begins
                yield owner, datetime.fromisoformat(at)

    def recheck(self) -> None:
        """Have the next :meth:`attach` carry out every destruction that the database knows, not only the new ones."""
        with self._changing:
            self._file.destroy([], self._clock.now(), 0)

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the wrapped keys into an empty file; the key that opens them is not in it."""
        self._make_durable()
        with self._changing:
            self._file.copy_to(path)

    # --- rotation ---

    @property
    def kek_id(self) -> str:
        """The name of the key-encryption key in use."""
        return self._wrapping.kek_id

    def rotate(self, note: str, report: Callable[[int, int], None] | None = None) -> Rotation:
        """Wrap every key and secret with a new key-encryption key and destroy the old one.

        ``report`` gets the keys done and their number. Reading goes on; commits that bring new keys wait. Killed at any
        step, the keyring opens with one key or the other, and the unneeded one is destroyed at the next opening.
        ``note`` stays in :attr:`unlogged_rotation`, with the keys' names, until :meth:`rotation_logged`. Raises
        FrsError: KEY_MISSING, KEY_WRONG, STORAGE_FULL, STORAGE_FAILED; then nothing has changed.
        """
        with self._changing:
            return self._wrapping.rotate(note, report)

    @property
    def unlogged_rotation(self) -> Rotation | None:
        """The rotation that was carried out and not yet reported to :meth:`rotation_logged`; its count is not known."""
        return self._wrapping.unlogged()

    def rotation_logged(self) -> None:
        """Forget the last rotation: the log holds it."""
        self._wrapping.logged()

    # --- taking part in the database's commit ---

    def attach(self, connection: sa.Connection) -> None:
        """Carry out the destructions that were committed but not done, or that an older copy of the keyring forgot."""
        through = self._file.destroyed_through()
        if newest_position(connection) < through:  # the database is older than the keyring: go through all it knows
            through = 0
            self._file.destroy([], self._clock.now(), through)
        self._owed.take_over(connection, through)
        with self._memory:
            self._attached = True
        self._owed.carry_out()

    def detach(self) -> None:
        """Go back to making each new key durable at once."""
        with self._memory:
            self._attached = False
        self._make_durable()

    def begin_act(self, tx: Transaction) -> None:
        """Note the act on whose thread a destruction belongs to it."""
        self._owed.begin_act(tx)

    def keep_act(self) -> None:
        """Let go of the act."""
        self._owed.keep_act()

    def undo_act(self) -> None:
        """Forget the destructions of the failed act."""
        self._owed.undo_act()

    def prepare(self) -> None:
        """Make new keys durable and retry destructions that failed. Raises FrsError STORAGE_FULL or _FAILED."""
        self._make_durable()
        self._owed.carry_out()

    def rolled_back(self) -> None:
        """Forget the group's destructions. Keys made in it stay: without data they are harmless."""
        self._owed.rolled_back()

    # --- inside ---

    def _known(self, owner: str) -> bytes | None:
        return self._cache.get(owner) or self._fresh.get(owner)

    def _missing(self, owner: str) -> FrsError:
        when = self._file.destroyed_at(owner)
        what = f"was destroyed at {when}" if when else "is not in the keyring"
        return FrsError(Reason.KEY_MISSING, f"The key of {owner} {what}.", owner=owner)

    def _make_durable(self) -> None:
        with self._changing:
            with self._memory:
                batch = dict(self._fresh)
            if not batch:
                return
            self._wrapping.add_keys(batch)
            with self._memory:
                for owner in batch:
                    if (key := self._fresh.pop(owner, None)) is not None:
                        self._cache.put(owner, key)

    def _carry_out(self, owners: Sequence[str], through: int | None) -> None:
        with self._changing:
            with self._memory:
                self._dying.update(owners)
                self._forget(owners)
            try:
                self._file.destroy(owners, self._clock.now(), through)
            finally:
                with self._memory:
                    self._destructions += 1
                    self._forget(owners)
                    self._dying.difference_update(owners)

    def _forget(self, owners: Sequence[str]) -> None:
        for owner in owners:
            self._cache.forget(owner)
            self._fresh.pop(owner, None)
