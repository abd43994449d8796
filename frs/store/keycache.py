"""Unwrapped keys kept in memory: the most recently used ones, until they are forgotten."""

from __future__ import annotations

from collections import OrderedDict

CAPACITY = 65_536
"""Keys kept; 32 bytes each and what Python adds."""


class KeyCache:
    """Least recently used keys go first. Not locked: its owner is."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[str, bytes] = OrderedDict()

    def get(self, owner: str) -> bytes | None:
        """Return an owner's key if it is kept."""
        key = self._keys.get(owner)
        if key is not None:
            self._keys.move_to_end(owner)
        return key

    def put(self, owner: str, key: bytes) -> None:
        """Keep a key, in place of the least recently used one when there is no room."""
        self._keys[owner] = key
        self._keys.move_to_end(owner)
        if len(self._keys) > self._capacity:
            self._keys.popitem(last=False)

    def forget(self, owner: str) -> None:
        """Drop an owner's key; one that is not kept is no error."""
        self._keys.pop(owner, None)

    def clear(self) -> None:
        """Drop every key."""
        self._keys.clear()
