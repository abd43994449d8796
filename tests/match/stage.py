"""A deployment's stage for tests: real lists with real people, deployments, streams and review."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from frs.audit.log import EventFilter, StoredEvent
from frs.match.bell import Bell
from frs.match.deployments import Deployment, DeploymentDraft, Deployments
from frs.match.live import FrameOutcome, LiveFrame, LiveMatching, LiveSession
from frs.review.alerts import Alerts
from frs.settings import Settings
from frs.types import Actor, Mode, Role
from frs.watchlist.model import ImageDraft, SubjectDraft, ThresholdSpec, WatchlistDraft
from tests.installation import Installation
from tests.manual_clock import ManualClock

MANAGER = Actor("max", frozenset({Role.WATCHLIST_MANAGER}), "certificate:0a")
OFFICER = Actor("ada", frozenset({Role.AUTHORISING_OFFICER}), "certificate:0b")
FEED = Actor("cam-feed", frozenset({Role.FEED}), "certificate:0c")
THRESHOLD = 0.96
"""Between what the drawn films score with their own portrait (0.98) and with the other people's (0.94 at most)."""


class Stage:
    """Rooms above an installation, made anew after each restart."""

    def __init__(self, installation: Installation, clock: ManualClock, settings: Settings | None = None) -> None:
        self.installation, self.clock = installation, clock
        self.settings = settings or installation.settings
        self.build()

    def build(self) -> None:
        place, clock, settings = self.installation, self.clock, self.settings
        database, vault, audit = place.store.database, place.store.vault, place.audit
        self.bell = Bell()
        self.deployments = Deployments(database, audit, place.watchlists, settings, clock)
        self.live = LiveMatching(
            *(database, vault, audit, place.galleries, place.watchlists, self.deployments, place.engine),
            *(self.bell, settings, clock),
        )
        self.alerts = Alerts(database, vault, audit, self.bell, clock, settings.statistics.groups)

    def restart(self) -> None:
        self.installation.restart()
        self.build()

    def activate(
        self, name: str, people: Iterable[tuple[str, bytes]], threshold: float | None = THRESHOLD
    ) -> dict[str, str]:
        """Make an active, reviewed list of (nominal, picture); returns the subjects' ids by nominal."""
        lists = self.installation.watchlists
        specs = () if threshold is None else (ThresholdSpec(Mode.LIVE, threshold),)
        lists.create(
            MANAGER,
            WatchlistDraft(
                id=name,
                purpose="People wanted for the test",
                category="wanted",
                legal_basis="Police and Criminal Evidence Act 1984",
                authorising_officer="Superintendent Ada",
                expires_at=self.clock.now() + timedelta(days=30),
                thresholds=specs,
            ),
        )
        subjects = {}
        for nominal, picture in people:
            draft = SubjectDraft(nominal, "Wanted on warrant", lawfully_held=True)
            image = ImageDraft(picture, "custody", "2025-06-01")
            subjects[nominal] = lists.enrol(MANAGER, name, draft, [image]).subject.id
        lists.approve(OFFICER, name)
        lists.activate(OFFICER, name)
        self.clock.advance(seconds=1)
        lists.review(OFFICER, name)
        self.clock.advance(seconds=1)
        return subjects

    def draft(self, *lists: str, hours: float = 4.0, cooldown: float | None = None) -> DeploymentDraft:
        ends_at = self.clock.now() + timedelta(hours=hours)
        return DeploymentDraft("Find wanted people", "Market Square", "Ada", lists, None, ends_at, cooldown)

    def open(self, *lists: str, hours: float = 4.0, cooldown: float | None = None) -> Deployment:
        return self.deployments.open(OFFICER, self.draft(*lists, hours=hours, cooldown=cooldown))

    def events(self, **wanted: str) -> list[StoredEvent]:
        """Return the events with their payloads, oldest first."""
        audit = self.installation.audit
        found = audit.list(EventFilter(**wanted), 1000, "").items  # type: ignore[arg-type]  # the tests name text filters
        return [audit.get(event.seq, open_payload=True) for event in sorted(found, key=lambda event: event.seq)]

    def actions(self, **wanted: str) -> list[str]:
        return [event.action for event in self.events(**wanted)]


def details(event: StoredEvent) -> dict[str, Any]:
    """Return what an event's opened payload says of the act."""
    assert event.payload is not None
    said = event.payload["details"]
    assert isinstance(said, dict)
    return dict(said)


def play(session: LiveSession, frames: Iterable[LiveFrame]) -> list[FrameOutcome]:
    """Give a session frames as the edge does."""
    outcomes = []
    for frame in frames:
        session.received()
        session.tick()
        outcomes.append(session.process(frame))
    return outcomes
