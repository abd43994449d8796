"""Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature under it.

    — NAME BASE64(key id (4 bytes) | signature)

The key id is the first four bytes of SHA-256(NAME | 0x0A | type | public key). A key is published as
``NAME+hexadecimal key id+BASE64(type | public key)``. The log signs with Ed25519 (type 0x01).

A log that was restored from a backup signs on under ``NAME/r-<12 hexadecimal digits>`` with the same public key, so
that the key under one of its names verifies notes under the others. Under any other name the key vouches for nothing
here: the same key signs the journal of erasures as ``NAME/erasures``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from frs_verify.encoding import decode_base64
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError

ED25519 = 0x01
_PUBLIC_KEY_BYTES = 32
_MARK = "\u2014 "
_KEY_ID_BYTES = 4
_MOST_BYTES = 1_000_000
_MOST_SIGNATURES = 100
_RESTORED = re.compile(r"/r-[0-9a-f]{12}\Z")


@dataclass(frozen=True)
class Signature:
    """One signature line, nothing verified yet."""

    name: str
    key_id: bytes
    raw: bytes


@dataclass(frozen=True)
class Note:
    """A text and its signature lines."""

    text: str
    signatures: tuple[Signature, ...]


def parse_note(note: str) -> Note:
    """Split a note strictly."""
    if len(note) > _MOST_BYTES or not note.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in note):
        raise DoesNotVerifyError("The checkpoint is no signed note.")
    text, separator, tail = note.rpartition("\n\n")
    lines = tail[:-1].split("\n")
    if not separator or len(lines) > _MOST_SIGNATURES:
        raise DoesNotVerifyError("The checkpoint is no signed note.")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """Return the four bytes that tell keys of one name apart."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + public_key).digest()[:_KEY_ID_BYTES]


def parse_vkey(vkey: str, lengths: dict[int, int]) -> tuple[str, int, bytes]:
    """Return name, type and public key of a published key; ``lengths`` gives the key's bytes by type."""
    name, _, rest = vkey.strip().partition("+")
    told_id, _, encoded = rest.partition("+")
    try:
        raw = decode_base64(encoded, "The key")
        kind, public_key = raw[0] if raw else -1, raw[1:]
        if lengths.get(kind) != len(public_key):
            raise CannotVerifyError("it is of another type")
        if not _is_name(name) or key_id(name, kind, public_key).hex() != told_id:
            raise CannotVerifyError("its key id does not belong to it")
    except (DoesNotVerifyError, CannotVerifyError, UnicodeEncodeError) as error:
        raise CannotVerifyError(f"This is no verifier key ({error}).") from None
    return name, kind, public_key


@dataclass(frozen=True)
class LogKey:
    """The public key of the log, under the name it was published with."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> LogKey:
        """Read a published key. Raises CannotVerifyError when it is none."""
        name, _, public_key = parse_vkey(vkey, {ED25519: _PUBLIC_KEY_BYTES})
        return cls(name, public_key)

    def verify(self, note: Note) -> str:
        """Check the log's signature on a note and return the name it was made under."""
        name = note.text.partition("\n")[0]
        if _RESTORED.sub("", name) != _RESTORED.sub("", self.name):
            raise DoesNotVerifyError(f"The checkpoint is of the log {name!r}, your key of {self.name!r}.")
        wanted = key_id(name, ED25519, self.public_key)
        found = [line for line in note.signatures if line.name == name and line.key_id == wanted]
        if not found:
            raise DoesNotVerifyError(f"The checkpoint carries no signature of your key for {name!r}.")
        for line in found:
            try:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(line.raw, note.text.encode("utf-8"))
            except (InvalidSignature, ValueError):
                message = "The checkpoint's signature does not fit its text: one of them was altered."
                raise DoesNotVerifyError(message) from None
        return name


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not _is_name(name):
        raise DoesNotVerifyError("A signature line of the checkpoint cannot be read.")
    raw = decode_base64(encoded, "A signature of the checkpoint")
    if len(raw) <= _KEY_ID_BYTES:
        raise DoesNotVerifyError("A signature of the checkpoint is too short.")
    return Signature(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() or ord(c) < 0x20 for c in name)
