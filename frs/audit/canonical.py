"""Canonical JSON (RFC 8785): one byte string for each value, so that it can be hashed.

For values without floats and with ASCII keys the standard library writes the same bytes several times as fast: strings
are escaped alike, integers have one form, and ASCII keys sort alike by code point and by UTF-16 unit. A test compares.
"""

from __future__ import annotations

import json

import rfc8785

from frs.types import Json

_LARGEST = 2**53 - 1  # beyond, integers are not exact in a double and RFC 8785 refuses them


def canonical(value: Json) -> bytes:
    """Return the canonical form in UTF-8. Raises ValueError when there is none: infinite numbers, huge integers."""
    if not _plain(value):
        return rfc8785.dumps(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _plain(value: object) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -_LARGEST <= value <= _LARGEST  # type: ignore[operator]  # an int
    if kind is list:
        return all(map(_plain, value))  # type: ignore[call-overload]  # a list
    if kind is dict:
        items = value.items()  # type: ignore[attr-defined]  # a dict
        return all(type(key) is str and key.isascii() and _plain(inner) for key, inner in items)
    return False
