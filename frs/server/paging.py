"""Page sizes (AIP-158): 0 is the method's default; the rules have refused what is out of range."""

from __future__ import annotations

DEFAULT = 50
DEFAULT_WITH_IMAGES = 20


def page_size(asked: int, default: int = DEFAULT) -> int:
    """Return how many items a page has."""
    return asked or default
