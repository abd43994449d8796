"""Definitions and drafts that the watchlist tests start from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from frs.audit.log import EventFilter
from frs.types import Actor, Mode, Role
from frs.watchlist.model import ImageDraft, SubjectDraft, ThresholdSpec, Watchlist, WatchlistDraft
from frs.watchlist.registry import Watchlists
from tests.installation import Installation

MANAGER = Actor("mary", frozenset({Role.WATCHLIST_MANAGER}), "certificate:0a")
OFFICER = Actor("supt-a", frozenset({Role.AUTHORISING_OFFICER}), "certificate:0b")
OTHER_OFFICER = Actor("supt-b", frozenset({Role.AUTHORISING_OFFICER}), "certificate:0c")
EVERY_MODE = tuple(ThresholdSpec(mode, 0.95) for mode in Mode)


def watchlist_draft(now: datetime, name: str = "wanted", **changes: Any) -> WatchlistDraft:
    values: dict[str, Any] = {
        "id": name,
        "purpose": "find people wanted on warrant",
        "category": "wanted",
        "legal_basis": "common law; PACE 1984",
        "authorising_officer": "Supt A",
        "expires_at": now + timedelta(days=30),
        "thresholds": EVERY_MODE,
    }
    return WatchlistDraft(**(values | changes))


def person(nominal: str = "N-1", **changes: Any) -> SubjectDraft:
    values: dict[str, Any] = {"nominal": nominal, "justification": "wanted on warrant 12", "lawfully_held": True}
    return SubjectDraft(**(values | changes))


def image(data: bytes, source: str = "custody", taken_on: str = "2025-06-01") -> ImageDraft:
    return ImageDraft(data, source, taken_on)


@dataclass(frozen=True)
class Desk:
    """An installation and the name of the watchlist that the test is about."""

    at: Installation
    name: str

    @property
    def watchlists(self) -> Watchlists:
        return self.at.watchlists

    def found(self) -> Watchlist:
        return self.at.watchlists.get(self.name)


def active(at: Installation, *pictures: bytes, name: str = "wanted", **changes: Any) -> Watchlist:
    """Make a list that is searched, with a subject N-1, N-2, ... for each picture."""
    at.watchlists.create(MANAGER, watchlist_draft(at.clock.now(), name, **changes))
    for number, picture in enumerate(pictures, 1):
        at.watchlists.enrol(MANAGER, name, person(f"N-{number}"), [image(picture)])
    at.watchlists.approve(OFFICER, name)
    return at.watchlists.activate(MANAGER, name)


def actions(at: Installation, **chosen: Any) -> list[str]:
    """Return the actions logged, oldest first."""
    return [event.action for event in at.audit.list(EventFilter(**chosen), 1000, "").items]


def details(at: Installation, action: str) -> dict[str, Any]:
    """Return the opened details of the newest event with an action."""
    newest = at.audit.list(EventFilter(action=action), 1, "", newest_first=True).items[0]
    payload = at.audit.get(newest.seq, open_payload=True).payload
    assert payload is not None
    found = payload["details"]
    assert isinstance(found, dict)
    return found
