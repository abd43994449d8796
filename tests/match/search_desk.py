"""Operator and retrospective searches over a real installation, and what tests need to look at them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.embed.engine import Analysis, FaceEngine
from frs.match.job_records import Job
from frs.match.jobs import Jobs
from frs.match.operator import OperatorSearches
from frs.match.stills import StillSearches
from frs.match.upload_records import MediaKind
from frs.match.uploads import Uploads
from frs.settings import Settings
from frs.store.database import Database
from frs.store.schema import operator_search, watchlist_threshold
from frs.store.vault import Vault
from frs.types import Actor, Mode, Role, SearchAuthority
from frs.watchlist.model import ImageDraft, SubjectDraft, ThresholdSpec, Watchlist, WatchlistDraft
from tests.installation import Installation
from tests.manual_clock import ManualClock

MANAGER = Actor("mona", frozenset({Role.WATCHLIST_MANAGER}), "certificate:01")
AUTHORISER = Actor("amir", frozenset({Role.AUTHORISING_OFFICER}), "certificate:02")
OFFICER = Actor("olga", frozenset({Role.OFFICER}), "certificate:03")
OTHER_OFFICER = Actor("oren", frozenset({Role.OFFICER}), "certificate:04")
INVESTIGATOR = Actor("iris", frozenset({Role.INVESTIGATOR}), "certificate:05")
OVERSIGHT = Actor("otto", frozenset({Role.OVERSIGHT}), "certificate:06")

SAME = 0.96
"""A score that the starter's strangers in the sample picture (0.94 at most) do not reach and retaken faces do."""
PATIENCE_SECONDS = 60.0


class SearchDesk:
    """Operator and retrospective searches of one installation; can be closed and opened again."""

    operator: OperatorSearches
    stills: StillSearches
    uploads: Uploads
    jobs: Jobs

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._compose()

    @classmethod
    def over(cls, installation: Installation) -> Iterator[SearchDesk]:
        """Use as ``yield from`` in a fixture: jobs are stopped before the installation is closed."""
        desk = cls(installation)
        yield desk
        desk.jobs.close()

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    @property
    def engine(self) -> FaceEngine:
        return self.installation.engine

    @property
    def clock(self) -> ManualClock:
        return self.installation.clock

    @property
    def database(self) -> Database:
        return self.installation.store.database

    @property
    def vault(self) -> Vault:
        return self.installation.store.vault

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    def change(self, **groups: Any) -> None:
        """Take other settings for what searches."""
        self.installation.settings = self.settings.model_copy(update=groups)
        self._compose()

    def restart(self, engine: FaceEngine | None = None) -> None:
        """Stop as a server does and start anew, perhaps with another model."""
        self.jobs.close()
        self.installation.close()
        self.installation.engine = engine or self.engine
        self.installation.open()
        self._compose()

    def close(self) -> None:
        """Let go of the data directory."""
        self.jobs.close()
        self.installation.close()

    # --- watchlists ---

    def listed(
        self,
        name: str,
        people: Mapping[str, bytes | Sequence[bytes]],
        score: float = SAME,
        model: str | None = None,
        days: float = 30,
        active: bool = True,
    ) -> Watchlist:
        """Make a list of people, each with a picture or several, and bring it to where it is searched.

        ``model`` is what its thresholds were set for, where the service has come back with another since.
        """
        watchlists = self.installation.watchlists
        thresholds = tuple(ThresholdSpec(mode, score) for mode in (Mode.OPERATOR, Mode.RETROSPECTIVE))
        draft = WatchlistDraft(
            name, "find them", "wanted", "an Act", "Insp. Amir", self.clock.now() + timedelta(days=days),
            thresholds=thresholds,
        )  # fmt: skip
        watchlists.create(MANAGER, draft)
        for nominal, pictures in people.items():
            images = [pictures] if isinstance(pictures, bytes) else pictures
            drafts = [ImageDraft(image, "custody", "2026-01-02") for image in images]
            person = SubjectDraft(nominal, "intelligence case 4", lawfully_held=True)
            watchlists.enrol(MANAGER, name, person, drafts)
        if active:
            watchlists.approve(AUTHORISER, name)
            watchlists.activate(AUTHORISER, name)
        if model is not None:
            table = watchlist_threshold
            set_for = table.update().where(table.c.watchlist_id == name).values(model=model)
            self.installation.store.database.write(lambda tx: tx.connection.execute(set_for))
            watchlists.rebuild()
        return watchlists.get(name)

    def withdraw(self, subject: str) -> None:
        """Withdraw a subject."""
        self.installation.watchlists.withdraw(MANAGER, subject, "no longer sought")

    # --- retrospective ---

    def authority(self, hours: float = 1) -> SearchAuthority:
        """Return a reason that lasts some hours."""
        return SearchAuthority("robbery", "INC-7", "AUTH-3", self.clock.now() + timedelta(hours=hours))

    def upload(self, data: bytes, kind: MediaKind = MediaKind.STILL, name: str = "still.jpg") -> str:
        """Upload media whole."""
        record = self.uploads.create(INVESTIGATOR, kind, name, len(data), hashlib.sha256(data).hexdigest())
        self.uploads.write(INVESTIGATOR, record.id, 0, data)
        return record.id

    def submit(self, *uploads: str, lists: Sequence[str] = ("wanted",), hours: float = 1) -> Job:
        """Submit a job."""
        return self.jobs.submit(INVESTIGATOR, self.authority(hours), lists, uploads, 0)

    def finished(self, job: Job) -> Job:
        """Wait until a job has finished."""
        return self.wait(job, lambda now: now.finished)

    def wait(self, job: Job, until: Callable[[Job], bool]) -> Job:
        """Wait until a job is as described."""
        seen: list[Job] = []

        def look() -> bool:
            seen.append(self.jobs.get(job.id))
            return until(seen[-1])

        self.until(look)
        return seen[-1]

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so."""
        latest = time.monotonic() + PATIENCE_SECONDS
        while not reached():
            assert time.monotonic() < latest, "it did not come to that"
            time.sleep(0.02)

    # --- what is left behind ---

    def actions(self, action: str) -> list[str]:
        """Return the actions logged that begin so, in order."""
        return [event.action for event in self.installation.audit.list(EventFilter(action=action), 1000, "").items]

    def last_event(self, action: str) -> Any:
        """Return what the newest event of an action says, opened."""
        (event,) = self.installation.audit.list(EventFilter(action=action), 1, "", newest_first=True).items
        payload = self.installation.audit.get(event.seq, open_payload=True).payload
        assert payload is not None
        return payload["details"]

    def count(self, table: sa.Table) -> int:
        """Count a table's rows."""
        with self.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def kept_probe(self, search: str) -> bytes | None:
        """Return the sealed probe of a search."""
        with self.database.read() as connection:
            kept: bytes | None = connection.scalar(
                sa.select(operator_search.c.probe_sealed).where(operator_search.c.id == search)
            )
        return kept

    def break_log(self) -> None:
        """Damage the log so that nothing can be appended."""
        self.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_head RENAME TO away")))

    @contextmanager
    def log_broken(self) -> Iterator[None]:
        """Damage the log for a while."""
        self.break_log()
        yield
        self.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE away RENAME TO audit_head")))

    @contextmanager
    def watching_analyses(self) -> Iterator[list[Analysis]]:
        """Collect what the engine hands out, so that a test can look at the memory afterwards."""
        seen: list[Analysis] = []
        analyse = self.engine.analyse

        def watched(data: bytes) -> Analysis:
            seen.append(analyse(data))
            return seen[-1]

        self.engine.analyse = watched  # type: ignore[method-assign]  # looked at, not replaced
        try:
            yield seen
        finally:
            del self.engine.analyse

    def _compose(self) -> None:
        made, clock = self.installation, self.installation.clock
        database, vault, audit = made.store.database, made.store.vault, made.audit
        parts = (made.galleries, made.watchlists)
        self.operator = OperatorSearches(database, vault, audit, *parts, made.engine, made.settings, clock)
        self.stills = StillSearches(database, audit, *parts, made.engine, made.settings, clock)
        self.uploads = Uploads(database, vault, audit, made.settings, clock)
        self.jobs = Jobs(database, vault, audit, *parts, self.uploads, made.engine, made.settings, clock)


def found_in(folder: Path, traces: Mapping[str, bytes]) -> set[str]:
    """Return which of the traces lie in any file of a folder, by up to 64 pieces of 24 bytes from all over each."""
    held = b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    found = set()
    for name, trace in traces.items():
        places = range(0, len(trace) - 23, max(24, len(trace) // 64))
        pieces = [trace[at : at + 24] for at in places]
        # A run of blanks, as a plain ground gives, may be in any file.
        if any(piece in held for piece in pieces if len(set(piece)) > 8):
            found.add(name)
    return found


def plant(path: Path, trace: bytes) -> None:
    """Write the middle of a trace into the middle of a file."""
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 1000 + trace[len(trace) // 3 : len(trace) // 2] + b"y" * 1000)
