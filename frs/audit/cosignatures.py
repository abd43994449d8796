"""Cosignatures of witnesses on checkpoints (C2SP tlog-cosignature): who else vouches for a log's size and root.

Two types. ML-DSA-44 (0x06, FIPS 204), which the specification asks new deployments to use and ours signs with: the
message is a structure of label, cosigner's name, time, log's origin, start, end and root. Ed25519 ``cosignature/v1``
(0x04), read so that witnesses that exist can be used: the message is two header lines and the checkpoint's text.
Either signature is the time (8 bytes, big-endian, seconds since 1970) and the algorithm's own bytes; the key id is
the first four bytes of SHA-256(name | 0x0A | type | public key). A vkey is written as for signed notes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from frs.audit.checkpoints import Checkpoint
from frs.audit.notes import Signature, check_name, parse_note
from frs.errors import FrsError, Reason

_LABEL = b"subtree/v1\n\x00"
_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_LATEST = 2**63 - 1
_MOST_NAME_BYTES = 255  # opaque<1..2^8-1>


class Kind(IntEnum):
    """The signature type's byte (C2SP signed-note)."""

    ED25519 = 0x04
    ML_DSA_44 = 0x06


_KEY_BYTES = {Kind.ED25519: 32, Kind.ML_DSA_44: 1312}
_SIGNATURE_BYTES = {Kind.ED25519: 64, Kind.ML_DSA_44: 2420}


@dataclass(frozen=True, slots=True)
class CosignatureVerifier:
    """A witness's name and public key, and which cosignatures it makes."""

    name: str
    kind: Kind
    public_key: bytes
    """32 bytes (RFC 8032) or 1312 bytes (FIPS 204)."""

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        text = self.name.encode("utf-8") + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(text).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text, to be published."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public_key).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, vkey: str) -> CosignatureVerifier:
        """Read a vkey of either type. Raises FrsError(WITNESS_UNTRUSTED) when it is none."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
            kind = Kind(raw[0]) if raw else None
            if kind is None or len(raw) != 1 + _KEY_BYTES[kind]:
                raise ValueError("not as long as its type's keys are")
            if kind is Kind.ML_DSA_44:
                _opaque(name)
            verifier = cls(check_name(name), kind, raw[1:])
            if verifier.vkey != vkey.strip() or verifier.key_id.hex() != key_id:
                raise ValueError("the key id does not belong to the key")
        except (ValueError, binascii.Error) as error:
            raise _untrusted(f"this is no verifier key of a witness ({error})") from error
        return verifier

    def verify(self, note: str) -> int:
        """Return when this witness cosigned a note, in seconds since 1970 (UTC).

        Signatures of others are left aside; the log's own is not looked at. Raises FrsError: WITNESS_UNTRUSTED when
        there is no valid cosignature of this witness, LOG_INCONSISTENT when the note is no checkpoint.
        """
        parsed = parse_note(note)
        for signature in parsed.signatures:
            if signature.name == self.name and signature.key_id == self.key_id:
                return self._verify(signature.signature, parsed.text)
        raise _untrusted(f"there is no cosignature of {self.name}")

    def _verify(self, raw: bytes, text: str) -> int:
        if len(raw) != _TIME_BYTES + _SIGNATURE_BYTES[self.kind]:
            raise _untrusted(f"the cosignature of {self.name} has the wrong length")
        time, signature = int.from_bytes(raw[:_TIME_BYTES], "big"), raw[_TIME_BYTES:]
        if not 0 < time <= _LATEST:  # zero says nothing on the log's newest tree
            raise _untrusted(f"the cosignature of {self.name} is of no time")
        try:
            if self.kind is Kind.ED25519:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, ed25519_message(time, text))
            else:
                checkpoint = checkpoint_of(text)
                message = cosigned_message(self.name, time, checkpoint.origin, checkpoint.size, checkpoint.root)
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise _untrusted(f"the cosignature of {self.name} does not fit the checkpoint") from error
        return time


class Cosigner:
    """Makes ML-DSA-44 cosignatures under a name."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Take the key of a 32-byte seed. Raises ValueError when the name cannot name a key."""
        _opaque(check_name(name))
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        self.verifier = CosignatureVerifier(name, Kind.ML_DSA_44, self._key.public_key().public_bytes_raw())

    def cosign(self, checkpoint: Checkpoint, time: int) -> Signature:
        """State that at ``time`` (seconds since 1970) this was the largest consistent tree seen of the log.

        Raises ValueError when the origin is longer than 255 bytes or the time is out of range.
        """
        if not 0 < time <= _LATEST:
            raise ValueError(f"{time} is no time")
        verifier = self.verifier
        message = cosigned_message(verifier.name, time, checkpoint.origin, checkpoint.size, checkpoint.root)
        raw = time.to_bytes(_TIME_BYTES, "big") + self._key.sign(message)
        return Signature(verifier.name, verifier.key_id, raw)


def cosigned_message(name: str, time: int, origin: str, size: int, root: bytes) -> bytes:
    """Return what an ML-DSA-44 cosignature on a whole tree signs (``cosigned_message`` of the specification)."""
    whole = b"".join(number.to_bytes(8, "big") for number in (0, size))  # start and end
    return _LABEL + _opaque(name) + time.to_bytes(_TIME_BYTES, "big") + _opaque(origin) + whole + root


def ed25519_message(time: int, text: str) -> bytes:
    """Return what an Ed25519 cosignature signs of a checkpoint's text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def checkpoint_of(text: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines, which may follow, are not looked at. Raises FrsError."""
    lines = text.removesuffix("\n").split("\n")
    if "" in lines:
        raise FrsError(Reason.LOG_INCONSISTENT, "The checkpoint cannot be read: it has an empty line.")
    return Checkpoint.parse("".join(f"{line}\n" for line in lines[:3]))


def add_signatures(note: str, signatures: Sequence[Signature]) -> str:
    """Return a note with signature lines put under those it has."""
    return note + "".join(signature.line() for signature in signatures)


def _opaque(text: str) -> bytes:
    raw = text.encode("utf-8")
    if not 1 <= len(raw) <= _MOST_NAME_BYTES:
        raise ValueError(f"a name in a cosignature has 1 to {_MOST_NAME_BYTES} bytes")
    return bytes([len(raw)]) + raw


def _untrusted(message: str) -> FrsError:
    return FrsError(Reason.WITNESS_UNTRUSTED, f"The cosignature fails: {message}.")
