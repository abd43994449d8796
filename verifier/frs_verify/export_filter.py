"""Whether events pass the filter that an export names, as far as leaves tell.

People are pseudonyms in leaves, under a key that only the service has: actor and subject cannot be compared.
"""

from __future__ import annotations

from datetime import UTC, datetime

from frs_verify.failure import DoesNotVerifyError
from frs_verify.leaf import Leaf

_RESOURCES = ("deployment", "alert", "search", "job")


class Filter:
    """The filter of an export's header."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self._wanted = wanted
        self._since = _instant(wanted.get("since"), "since")
        self._until = _instant(wanted.get("until"), "until")

    def check(self, leaf: Leaf) -> None:
        """Raise DoesNotVerifyError that names the part of the filter that the event does not pass."""
        wanted = self._wanted
        time = datetime.fromisoformat(leaf.time)
        if self._since is not None and time < self._since:
            raise _outside(leaf, "since")
        if self._until is not None and time >= self._until:
            raise _outside(leaf, "until")
        action = wanted.get("action", "").rstrip(".")
        if action and leaf.action != action and not leaf.action.startswith(f"{action}."):
            raise _outside(leaf, "action")
        for kind in _RESOURCES:
            if kind in wanted and leaf.refs[kind] != _id(wanted[kind]):
                raise _outside(leaf, kind)
        if "watchlist" in wanted and _id(wanted["watchlist"]) not in [w["id"] for w in leaf.refs["watchlists"]]:
            raise _outside(leaf, "watchlist")


def _id(name: str) -> str:
    return name.rpartition("/")[2]


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise DoesNotVerifyError(f"The header's filter has no instant in {name!r}.")
    return value.astimezone(UTC)


def _outside(leaf: Leaf, name: str) -> DoesNotVerifyError:
    return DoesNotVerifyError(f"Event {leaf.index} does not pass the export's own filter ({name}).", leaf.index)
