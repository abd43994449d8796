"""The hash tree of the log: RFC 6962, section 2, with SHA-256 (the same as RFC 9162, section 2.1).

A leaf's hash is SHA-256(0x00 | leaf), an inner node's SHA-256(0x01 | left | right). The tree of n leaves is split at
the largest power of two below n. An inclusion proof is the list of siblings from the leaf upwards.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from frs_verify.failure import DoesNotVerifyError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that ``leaf``, a leaf's hash, is number ``index`` of the tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise DoesNotVerifyError(f"Event {index} cannot be in a log of {size} events.", index)
    number, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise DoesNotVerifyError(f"The proof of event {index} is too long.", index)
        if number & 1 or number == last:
            current = node_hash(sibling, current)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            current = node_hash(current, sibling)
        number >>= 1
        last >>= 1
    if last != 0:
        raise DoesNotVerifyError(f"The proof of event {index} is too short.", index)
    if not hmac.compare_digest(current, root):
        message = f"Event {index} is not in the log that was signed: the event or its proof was altered."
        raise DoesNotVerifyError(message, index)


class GrowingTree:
    """The root of a list of leaves that come one after the other, from a hash for each binary digit of their number."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of complete subtrees, largest first

    def add(self, digest: bytes) -> None:
        """Take the next leaf's hash."""
        remaining = self.size
        while remaining & 1:
            digest = node_hash(self._peaks.pop(), digest)
            remaining >>= 1
        self._peaks.append(digest)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root
