"""The key-encryption key: wraps every other key. A file by default; a KMS plugs in behind the same interface.

The file form wraps with AES-256-GCM (NIST SP 800-38D) under a key derived for each context by HMAC-SHA-256, so that a
wrapped key opens only for the owner it was made for, and no single GCM key nears its limit of random nonces.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from frs.errors import FrsError, Reason
from frs.store.durable import create_file

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_HEADER = "frs-key-encryption-key-v1"


class KeyEncryptionKey(Protocol):
    """Wraps keys. What it wraps with never leaves it."""

    @property
    def id(self) -> str:
        """A name that does not reveal the key, recorded beside each wrapped key so that rotation knows its own."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Encrypt a key, bound to a context."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a key. Raises FrsError(KEY_WRONG): wrapped by another key or for another context, or altered."""
        ...


class LocalKeyEncryptionKey:
    """A key-encryption key held in memory, read from a file of the keyring."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the key's hash under a fixed label."""
        return hashlib.sha256(b"frs kek id\x00" + self._key).hexdigest()[:16]

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return format byte, nonce and ciphertext: 61 bytes for a key of 32."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher(context).encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key."""
        nonce, sealed = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        if wrapped[:1] == _FORMAT and len(nonce) == _NONCE_BYTES:
            try:
                return self._cipher(context).decrypt(nonce, sealed, context)
            except InvalidTag:
                pass
        raise FrsError(
            Reason.KEY_WRONG,
            f"The key-encryption key {self.id} does not open this keyring, or the keyring was altered.",
        )

    def _cipher(self, context: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, b"frs wrap\x00" + context, "sha256"))


def create_kek_file(path: Path) -> None:
    """Write a new random key, for its owner's eyes alone. Raises FileExistsError."""
    text = f"{_HEADER}\n{base64.b64encode(os.urandom(KEY_BYTES)).decode('ascii')}\n"
    create_file(path, text.encode("ascii"))


def read_kek_file(path: Path) -> LocalKeyEncryptionKey:
    """Read the key. Raises FrsError: KEY_MISSING when the file is not there, KEY_WRONG when it is no such file."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        raise FrsError(Reason.KEY_MISSING, f"The key-encryption key {path} is not there.") from error
    try:
        header, encoded, *rest = lines
        if header != _HEADER.encode("ascii") or rest != [b""]:
            raise ValueError("unknown layout")
        return LocalKeyEncryptionKey(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error) as error:
        raise FrsError(Reason.KEY_WRONG, f"{path} is not a key-encryption key of FRS ({error}).") from error
