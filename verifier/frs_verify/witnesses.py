"""Cosignatures of witnesses on a checkpoint (C2SP tlog-cosignature), of both types that the specification has.

A signature is eight bytes of time (big-endian, seconds since 1970) and the algorithm's own bytes. An Ed25519 one
(type 0x04) is over ``cosignature/v1``, the time and the checkpoint's text; an ML-DSA-44 one (type 0x06, FIPS 204) over
a structure of label, cosigner's name, time, log's origin, start (0), end (the size) and root.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from frs_verify.failure import CannotVerifyError, DoesNotVerifyError
from frs_verify.notes import Note, key_id, parse_vkey

ED25519 = 0x04
ML_DSA_44 = 0x06
_KEY_BYTES = {ED25519: 32, ML_DSA_44: 1312}
_SIGNATURE_BYTES = {ED25519: 64, ML_DSA_44: 2420}
_TIME_BYTES = 8
_LATEST = 2**63 - 1


@dataclass(frozen=True)
class WitnessKey:
    """A witness's public key under its name."""

    name: str
    kind: int
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> WitnessKey:
        """Read a published key of either type. Raises CannotVerifyError when it is none."""
        return cls(*parse_vkey(vkey, _KEY_BYTES))

    def verify(self, note: Note, origin: str, size: int, root: bytes) -> int:
        """Check this witness's cosignature and return when it was made, in seconds since 1970."""
        wanted = key_id(self.name, self.kind, self.public_key)
        found = [line.raw for line in note.signatures if line.name == self.name and line.key_id == wanted]
        if not found:
            raise DoesNotVerifyError(f"The checkpoint carries no cosignature of the witness {self.name!r}.")
        return max(self._verify(raw, note, origin, size, root) for raw in found)

    def _verify(self, raw: bytes, note: Note, origin: str, size: int, root: bytes) -> int:
        time, signature = int.from_bytes(raw[:_TIME_BYTES], "big"), raw[_TIME_BYTES:]
        if len(signature) != _SIGNATURE_BYTES[self.kind] or not 0 < time <= _LATEST:
            raise DoesNotVerifyError(f"The cosignature of the witness {self.name!r} is none.")
        try:
            if self.kind == ED25519:
                message = f"cosignature/v1\ntime {time}\n{note.text}".encode()
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
            else:
                _verify_ml_dsa(self.public_key, signature, self._message(time, origin, size, root))
        except (InvalidSignature, ValueError):
            failed = f"The cosignature of the witness {self.name!r} does not fit the checkpoint."
            raise DoesNotVerifyError(failed) from None
        return time

    def _message(self, time: int, origin: str, size: int, root: bytes) -> bytes:
        start, end = (0).to_bytes(8, "big"), size.to_bytes(8, "big")
        return (
            b"subtree/v1\n\x00"
            + _short(self.name)
            + time.to_bytes(_TIME_BYTES, "big")
            + _short(origin)
            + start
            + end
            + root
        )


def instant(seconds: int) -> str:
    """Return a cosignature's time for people; the number itself beyond the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _short(text: str) -> bytes:
    raw = text.encode("utf-8")
    if not 0 < len(raw) <= 255:
        raise ValueError("a name of 1 to 255 bytes")
    return bytes([len(raw)]) + raw


def _verify_ml_dsa(public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (ImportError, UnsupportedAlgorithm):
        raise CannotVerifyError(
            "The witness signs with ML-DSA-44, which this installation of `cryptography` does not have: install a "
            "newer one."
        ) from None
