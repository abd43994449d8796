"""Signed checkpoints of the log (C2SP tlog-checkpoint) and the rule that no inconsistent tree is ever signed.

A checkpoint's text is the origin, the number of events and the root in base64, a line each. The newest one is kept in
the keyring's folder, apart from the database: the signer demands proof that a new tree begins with the tree of that
file, and a database that was put back to an older state, or whose events were rewritten, is refused at start.
If the process dies between the file and the database's copy, the next start copies it.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from frs.audit.notes import NoteSigner, NoteVerifier
from frs.audit.origins import Origins, first_name
from frs.audit.proofs import verify_consistency
from frs.audit.tree import HASH_BYTES
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.durable import write_file
from frs.store.engines import storage_error
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring

CHECKPOINT_FILE = "checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text to be signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a checkpoint's text strictly; extension lines are refused. Raises FrsError(LOG_INCONSISTENT)."""
        try:
            origin, size, encoded, end = text.split("\n")
            checkpoint = cls(origin, int(size), base64.b64decode(encoded, validate=True))
            if (
                not origin
                or end
                or checkpoint.size < 0
                or len(checkpoint.root) != HASH_BYTES
                or checkpoint.text() != text
            ):
                raise ValueError("not as the specification writes it")
        except (ValueError, binascii.Error) as error:
            raise FrsError(Reason.LOG_INCONSISTENT, f"The checkpoint cannot be read: {error}.") from error
        return checkpoint


def read_checkpoint(note: str, vkey: str, names: Collection[str] = ()) -> Checkpoint:
    """Verify a signed checkpoint with the log's public key. Raises FrsError(LOG_INCONSISTENT).

    ``names`` are other origins under which the same key signs this log (:class:`frs.audit.origins.Origins`).
    """
    verifier = NoteVerifier.parse(vkey)
    origin = note.partition("\n")[0]
    if origin in names:
        verifier = verifier.named(origin)
    checkpoint = Checkpoint.parse(verifier.verify(note))
    if checkpoint.origin != verifier.name:
        message = f"The checkpoint is of the log {checkpoint.origin}, the key of {verifier.name}."
        raise FrsError(Reason.LOG_INCONSISTENT, message)
    return checkpoint


def read_any_origin(note: str, vkey: str) -> Checkpoint:
    """Verify a checkpoint of the log that the key names or of one restored from it, signed with the same key.

    For those who hold a key and no table of origins. Raises FrsError(LOG_INCONSISTENT).
    """
    origin = note.partition("\n")[0]
    same = first_name(origin) == first_name(NoteVerifier.parse(vkey).name)
    return read_checkpoint(note, vkey, (origin,) if same else ())


def kept_apart(folder: Path) -> str | None:
    """Return the note that the keyring in ``folder`` says was signed last, unverified; None where it cannot be read."""
    try:
        return (folder / CHECKPOINT_FILE).read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


class CheckpointSigner:
    """Signs checkpoints of one log and remembers the last."""

    def __init__(self, origin: str, seed: bytes, folder: Path, derived: bool = False) -> None:
        """Sign under an origin; one that is ``derived`` was asked for by nobody, and what a log records goes before."""
        self._seed = seed
        self._derived = derived
        self._names: tuple[str, ...] = (origin,)
        self._path = folder / CHECKPOINT_FILE
        self._lock = threading.Lock()
        self._name(origin)

    def _name(self, origin: str) -> None:
        try:
            self._signer = NoteSigner(origin, self._seed)
        except ValueError as error:
            raise FrsError(Reason.SETTINGS_INVALID, f"audit.origin: {error}.") from error
        self.origin = origin

    @classmethod
    def open(cls, keyring: Keyring, settings: Settings, installation_id: str) -> CheckpointSigner:
        """Take the signing key from the keyring; the origin is ``audit.origin`` or derived from the installation."""
        origin = settings.audit.origin or f"frs.local/{installation_id}"
        return cls(origin, keyring.secret(LOG_SIGNING_SECRET), keyring.path, derived=not settings.audit.origin)

    def take_names(self, origins: Origins) -> None:
        """Sign under the log's newest name from now on, and read notes of all its names.

        Raises FrsError(SETTINGS_INVALID) when ``audit.origin`` is none of them: a log does not change its name, for
        those who hold its verifier key could not follow it.
        """
        if not self._derived and self.origin not in origins.names:
            recorded = origins.names[0]
            raise FrsError(
                Reason.SETTINGS_INVALID,
                f"audit.origin is {self.origin}, but this log has been signed as {recorded} since it began: set "
                f"audit.origin to {recorded}, or remove the setting.",
                setting="audit.origin",
            )
        self._names = origins.names
        self._name(origins.current().name)

    @property
    def vkey(self) -> str:
        """The public key that verifies this log's checkpoints, as C2SP signed-note writes it."""
        return self._signer.verifier.vkey

    @property
    def note_signer(self) -> NoteSigner:
        """The key under the log's present name, for the other notes of this log."""
        return self._signer

    @property
    def folder(self) -> Path:
        """Where the note signed last is kept, apart from the database."""
        return self._path.parent

    def last(self) -> str | None:
        """Return the note signed last, or None when there is none. Raises FrsError(LOG_INCONSISTENT) when altered."""
        try:
            note = self._path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise FrsError(Reason.LOG_INCONSISTENT, f"{self._path} is not a checkpoint.") from error
        self.read(note)
        return note

    def read(self, note: str) -> Checkpoint:
        """Verify a note of this log, under any of its names. Raises FrsError(LOG_INCONSISTENT)."""
        return read_checkpoint(note, self.vkey, self._names)

    def sign(self, size: int, root: bytes, proof: Callable[[int, int], Sequence[bytes]]) -> str:
        """Sign a tree and keep the note, durably. ``proof`` gives the consistency proof from the last size to this.

        Raises FrsError: LOG_INCONSISTENT when the tree does not begin with the one signed last, STORAGE_FULL or
        STORAGE_FAILED when the note cannot be kept: then it is not given out.
        """
        with self._lock:
            last = self.last()
            if last is not None:
                signed = self.read(last)
                check_extends(signed, size, root, proof)
                if signed.size == size and signed.origin == self.origin:
                    return last
            return self._sign(size, root)

    def restart(self, size: int, root: bytes) -> str:
        """Sign a restored log's tree and keep the note in place of the one kept before, whatever that says.

        For a restoration alone, after :meth:`take_names` with the new origin; everything else uses :meth:`sign`.
        Raises FrsError STORAGE_FULL or STORAGE_FAILED when the note cannot be kept.
        """
        with self._lock:
            return self._sign(size, root)

    def _sign(self, size: int, root: bytes) -> str:
        note = self._signer.sign(Checkpoint(self.origin, size, root).text())
        try:
            write_file(self._path, note.encode("utf-8"))
        except OSError as error:
            raise storage_error(error) from error
        return note


def check_extends(signed: Checkpoint, size: int, root: bytes, proof: Callable[[int, int], Sequence[bytes]]) -> None:
    """Check that a tree begins with a signed one. Raises FrsError(LOG_INCONSISTENT) that says what differs."""
    if size < signed.size:
        raise FrsError(
            Reason.LOG_INCONSISTENT,
            f"The log holds {size} events, but {signed.size} have been signed: an older database was put in its place.",
            events=str(size),
            signed=str(signed.size),
        )
    try:
        verify_consistency(signed.size, size, signed.root, root, proof(signed.size, size))
    except FrsError as error:
        raise FrsError(
            Reason.LOG_INCONSISTENT,
            f"The log of {size} events does not begin with the {signed.size} that have been signed: events were "
            f"rewritten. `frs audit verify` names them.",
            events=str(size),
            signed=str(signed.size),
        ) from error
