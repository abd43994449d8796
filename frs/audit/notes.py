"""Signed notes (C2SP signed-note): a text and the signatures under it, readable by people and machines.

    text, ending in a newline
    (empty line)
    — NAME BASE64(key id (4 bytes) | signature)

Ed25519 only (type 0x01). The key id is the first four bytes of SHA-256(NAME | 0x0A | 0x01 | public key).
A verifier key (vkey) is ``NAME+hex key id+BASE64(0x01 | public key)``. Parsing raises FrsError(LOG_INCONSISTENT).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from frs.errors import FrsError, Reason

_ED25519 = b"\x01"
_MARK = "\u2014 "  # em dash and space begin a signature line
_MOST_SIGNATURES = 100
_MOST_BYTES = 1_000_000
_KEY_ID_BYTES = 4
_PUBLIC_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line as it stands in the note."""
        return f"{_MARK}{self.name} {base64.b64encode(self.key_id + self.signature).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, nothing verified yet."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A name and its public key."""

    name: str
    public_key: bytes
    """32 bytes, RFC 8032."""

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        text = self.name.encode("utf-8") + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(text).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text, to be published."""
        encoded = base64.b64encode(_ED25519 + self.public_key).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> NoteVerifier:
        """Read a vkey. Raises FrsError(LOG_INCONSISTENT) when it is none."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = _decode(encoded)
            if raw[:1] != _ED25519 or len(raw) != 1 + _PUBLIC_KEY_BYTES:
                raise ValueError("not an Ed25519 key")
            verifier = cls(check_name(name), raw[1:])
            if verifier.key_id.hex() != key_id:
                raise ValueError("the key id does not belong to the key")
        except (ValueError, binascii.Error) as error:
            raise _bad(f"not a verifier key ({error})") from error
        return verifier

    def named(self, name: str) -> NoteVerifier:
        """Return the verifier of the same key under another name. Raises ValueError when it cannot name a key."""
        return self if name == self.name else NoteVerifier(check_name(name), self.public_key)

    def verify(self, note: str) -> str:
        """Return the text of a note that carries this verifier's valid signature; others on it are left aside."""
        parsed = parse_note(note)
        for signature in parsed.signatures:
            if signature.name == self.name and signature.key_id == self.key_id:
                try:
                    key = Ed25519PublicKey.from_public_bytes(self.public_key)
                    key.verify(signature.signature, parsed.text.encode("utf-8"))
                except (InvalidSignature, ValueError) as error:
                    raise _bad(f"the signature of {self.name} does not fit the text") from error
                return parsed.text
        raise _bad(f"there is no signature of {self.vkey}")


class NoteSigner:
    """Signs notes under a name."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = NoteVerifier(check_name(name), self._key.public_key().public_bytes_raw())

    def under(self, name: str) -> NoteSigner:
        """Return a signer with the same key under another name. Raises ValueError when it cannot name a key."""
        return NoteSigner(name, self._key.private_bytes_raw())

    def sign(self, text: str, others: Sequence[Signature] = ()) -> str:
        """Return the signed note. Raises ValueError when the text cannot be one."""
        if not text.endswith("\n") or _has_control_characters(text):
            raise ValueError("a note's text ends in a newline and holds no other control characters")
        signature = Signature(self.verifier.name, self.verifier.key_id, self._key.sign(text.encode("utf-8")))
        return text + "\n" + "".join(s.line() for s in (signature, *others))


def parse_note(note: str) -> Note:
    """Split a note into text and signature lines, strictly."""
    if len(note) > _MOST_BYTES or not note.endswith("\n") or _has_control_characters(note):
        raise _bad("not a note")
    head, separator, tail = note.rpartition("\n\n")
    lines = tail.removesuffix("\n").split("\n")
    if not separator or len(lines) > _MOST_SIGNATURES:
        raise _bad("not a note")
    return Note(head + "\n", tuple(_parse_signature(line) for line in lines))


def check_name(name: str) -> str:
    """Return a key's name. Raises ValueError unless it is non-empty and without spaces, plus signs or controls."""
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise ValueError(f"{name!r} cannot name a signing key")
    return name


def _parse_signature(line: str) -> Signature:
    try:
        if not line.startswith(_MARK):
            raise ValueError("not a signature line")
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        raw = _decode(encoded)
        if len(raw) <= _KEY_ID_BYTES:
            raise ValueError("too short")
        return Signature(check_name(name), raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
    except (ValueError, binascii.Error) as error:
        raise _bad(f"a signature line cannot be read ({error})") from error


def _decode(encoded: str) -> bytes:
    """Decode base64 that is written in the one canonical way, so that no two notes mean the same."""
    raw = base64.b64decode(encoded, validate=True)
    if base64.b64encode(raw).decode("ascii") != encoded:
        raise ValueError("not canonical base64")
    return raw


def _has_control_characters(text: str) -> bool:
    return any(ord(c) < 0x20 and c != "\n" for c in text)


def _bad(message: str) -> FrsError:
    return FrsError(Reason.LOG_INCONSISTENT, f"The signed note fails: {message}.")
