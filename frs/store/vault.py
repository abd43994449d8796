"""The vault: every stored biometric passes through it, sealed under a key of its owner's own.

A sealed value is ``format byte 0x01 | nonce (12) | AES-256-GCM ciphertext and tag (16)`` (NIST SP 800-38D), with the
format, the owner and the caller's context as associated data: bytes moved to another owner or purpose do not open.
Owners: ``subject:<id>``, ``alert:<id>``, ``upload:<id>``, ``probe:<id>`` (of a job), ``search:<id>``,
``pair:<id>`` (of a vigilance check), ``event:<index>``.

A pseudonym is an HMAC-SHA-256 under a key of the installation that erasure does not touch: it can be computed again
from the nominal, and only there.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from frs.errors import FrsError, Reason
from frs.store.keyring import PSEUDONYM_SECRET, Keyring

OVERHEAD = 29
"""Bytes that sealing adds."""
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PREFIXES = {"subject": "s", "actor": "a", "probe": "p"}
_PSEUDONYM = re.compile(r"([sap]):[0-9a-f]{64}")


class Vault:
    """Seals, opens and destroys by owner; every method may be called from any thread."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._pseudonym_key = keyring.secret(PSEUDONYM_SECRET)

    def seal(self, owner: str, data: bytes, context: bytes = b"") -> bytes:
        """Encrypt; the owner's key is made on first use and durable before a commit that stores the result.

        Raises FrsError: KEY_MISSING when the owner's key was destroyed, STORAGE_FULL, STORAGE_FAILED.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._keyring.key_or_new(owner)).encrypt(nonce, data, _associated(owner, context))
        return _FORMAT + nonce + sealed

    def open(self, owner: str, sealed: bytes, context: bytes = b"") -> bytes:
        """Decrypt.

        Raises FrsError: KEY_MISSING when the owner's key is destroyed or was never there, KEY_WRONG when the bytes
        were altered or sealed for another owner or context.
        """
        key = self._keyring.key(owner)
        if sealed[:1] == _FORMAT and len(sealed) >= OVERHEAD:
            nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
            try:
                return AESGCM(key).decrypt(nonce, ciphertext, _associated(owner, context))
            except InvalidTag:
                pass
        message = f"Sealed data of {owner} does not open with its key: it was altered or belongs elsewhere."
        raise FrsError(Reason.KEY_WRONG, message, owner=owner)

    def destroy(self, *owners: str) -> None:
        """Destroy the owners' keys: all that was sealed under them is unreadable, in every copy.

        Durable when it returns; inside an act it happens with the act's commit, before the act's caller is answered.
        """
        self._keyring.destroy(*owners)

    def destroyed(self, owner: str) -> bool:
        """Whether the owner's key has been destroyed."""
        return self._keyring.destroyed(owner)

    def destroyed_among(self, owners: Sequence[str]) -> set[str]:
        """Return those of the owners whose key has been destroyed; ask for some hundreds at a time."""
        return self._keyring.destroyed_among(owners)

    def pseudonym(self, kind: str, value: str) -> str:
        """Return a prefix and 64 hexadecimal digits.

        ``s:`` for kind ``subject`` (of a nominal), ``a:`` for ``actor`` (of a name), ``p:`` for ``probe`` (of the
        SHA-256 of a photograph that led to a match). One that is a pseudonym of the kind already is returned as it
        is: of a person who was erased nothing else is held.
        """
        prefix = _PREFIXES[kind]
        if is_pseudonym(value) and value[0] == prefix:
            return value
        message = kind.encode("ascii") + b"\x00" + value.encode("utf-8")
        return f"{prefix}:{hmac.digest(self._pseudonym_key, message, 'sha256').hex()}"


def is_pseudonym(value: str) -> bool:
    """Whether a text has the form of a pseudonym; nobody may be enrolled under such a nominal."""
    return _PSEUDONYM.fullmatch(value) is not None


def _associated(owner: str, context: bytes) -> bytes:
    name = owner.encode("utf-8")
    return b"frs vault" + _FORMAT + len(name).to_bytes(4, "big") + name + context
