"""Consultation of records (Data Protection Act 2018, section 62): logged before what was read is given out.

The servicers read, call this, and answer; when the event cannot be logged they do not answer. The event says what was
asked for and how many records were shown, an empty page too. The people shown are in its references, as pseudonyms, so
that a person's nominal finds each time their record was read; a page that shows very many is several events, written
together, so that no event grows without bound.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from frs.audit.actions import Action
from frs.match.job_records import Job
from frs.match.outcomes import OperatorSearch
from frs.review.alert import Alert
from frs.review.assignment import Assignment
from frs.review.case import Case
from frs.server.journal import Journal
from frs.types import Actor, Candidate, Event, Json, ListVersion, References
from frs.watchlist.model import Subject, Watchlist

REFERENCES_AT_ONCE = 200
"""Most people, and most lists, that one event refers to: its leaf stays under 40 KiB."""
MOST_REFERENCES = 1000
"""Most people, and most lists, that one read refers to; its events say how many more were shown."""
JOB_SECONDS = 60.0
"""Within it, reads of one job by one identity are one consultation."""
_MOST_REMEMBERED = 1000


class Consultations:
    """Logs what people were shown. Thread-safe; every method raises LOG_UNAVAILABLE or what the storage raises."""

    def __init__(self, journal: Journal, seconds: Callable[[], float] = time.monotonic) -> None:
        """``seconds`` is a monotonic clock."""
        self._journal = journal
        self._jobs = _RecentReads(seconds)

    def watchlists(self, actor: Actor, shown: Iterable[Watchlist], asked: Mapping[str, Json]) -> None:
        """Log that definitions of watchlists were read."""
        lists = [ListVersion(each.id, each.version) for each in shown]
        self._record(actor, Action.WATCHLIST_READ, asked, len(lists), lists=lists)

    def subjects(self, actor: Actor, shown: Sequence[Subject], of: Watchlist, asked: Mapping[str, Json]) -> None:
        """Log that people on a watchlist were read."""
        people = [each.nominal for each in shown]
        lists = [ListVersion(of.id, of.version)]
        self._record(actor, Action.SUBJECT_READ, asked, len(shown), people, lists)

    def alerts(
        self, actor: Actor, shown: Sequence[Alert], asked: Mapping[str, Json], deployment: str | None = None
    ) -> None:
        """Log that alerts were read without their pictures."""
        candidates = [each.candidate for each in shown]
        references = References(deployment=deployment)
        people, lists = _of(candidates)
        self._record(actor, Action.ALERT_LISTED, asked, len(shown), people, lists, references)

    def cases(
        self, actor: Actor, shown: Sequence[Case], asked: Mapping[str, Json], deployment: str | None = None
    ) -> None:
        """Log that cases were read without their pictures."""
        people, lists = _of([candidate for each in shown for candidate in each.candidates])
        references = References(deployment=deployment)
        self._record(actor, Action.REVIEW_LISTED, asked, len(shown), people, lists, references)

    def assignments(
        self, actor: Actor, shown: Sequence[Assignment], asked: Mapping[str, Json], deployment: str | None = None
    ) -> None:
        """Log that officers' assignments were read without their pictures."""
        people = [each.nominal for each in shown]
        lists = [ListVersion(each.watchlist, each.watchlist_version) for each in shown]
        references = References(deployment=deployment)
        self._record(actor, Action.ASSIGNMENT_LISTED, asked, len(shown), people, lists, references)

    def searches(self, actor: Actor, shown: Sequence[OperatorSearch], asked: Mapping[str, Json]) -> None:
        """Log that records of operator searches were read, with whom they found."""
        people, lists = _of([candidate for each in shown for candidate in each.candidates])
        said: dict[str, Json] = {**asked, "searches": [each.id for each in shown[:REFERENCES_AT_ONCE]]}
        self._record(actor, Action.OPERATOR_LISTED, said, len(shown), people, lists)

    def jobs(self, actor: Actor, shown: Sequence[Job], asked: Mapping[str, Json]) -> None:
        """Log that a page of jobs was read: reasons, incidents and counts, nobody who was found."""
        lists = [listed for each in shown for listed in each.searched]
        said: dict[str, Json] = {**asked, "jobs": [each.id for each in shown[:REFERENCES_AT_ONCE]]}
        self._record(actor, Action.SEARCH_JOB_READ, said, len(shown), lists=lists)

    def job(self, actor: Actor, shown: Job, asked: Mapping[str, Json]) -> None:
        """Log that one job was read."""
        self._record(actor, Action.SEARCH_JOB_READ, asked, 1, lists=shown.searched, references=References(job=shown.id))

    def job_again(self, actor: Actor, shown: Job) -> None:
        """Log that one job was read, perhaps by a program that asks for its progress again and again."""
        key = (actor.name, shown.id)
        if self._jobs.holds(key):
            return
        self.job(actor, shown, {"asked": "one", "within_seconds": JOB_SECONDS})
        self._jobs.add(key)

    def _record(
        self,
        actor: Actor,
        action: Action,
        asked: Mapping[str, Json],
        shown: int,
        people: Iterable[str] = (),
        lists: Iterable[ListVersion] = (),
        references: References | None = None,
    ) -> None:
        whom, which = list(dict.fromkeys(people)), list(dict.fromkeys(lists))
        beyond = max(0, len(whom) - MOST_REFERENCES), max(0, len(which) - MOST_REFERENCES)
        most = min(MOST_REFERENCES, max(len(whom), len(which), 1))
        starts = range(0, most, REFERENCES_AT_ONCE)
        base = references or References()
        events = []
        for number, start in enumerate(starts, 1):
            said: dict[str, Json] = {**asked, "shown": shown}
            if len(starts) > 1:
                said |= {"part": number, "parts": len(starts)}
            if any(beyond):
                said |= {"people_not_referred_to": beyond[0], "watchlists_not_referred_to": beyond[1]}
            end = min(start + REFERENCES_AT_ONCE, MOST_REFERENCES)
            part = References(tuple(which[start:end]), tuple(whom[start:end]), base.deployment, job=base.job)
            events.append(Event(action, actor, part, said))
        self._journal.record_all(events)


class _RecentReads:
    """Who read which job within the last minute; constant memory, and what is forgotten is logged once more."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._read: OrderedDict[tuple[str, str], float] = OrderedDict()

    def holds(self, key: tuple[str, str]) -> bool:
        with self._lock:
            at = self._read.get(key)
        return at is not None and self._seconds() - at < JOB_SECONDS

    def add(self, key: tuple[str, str]) -> None:
        """Remember a read that has been logged; one that could not be is not remembered."""
        with self._lock:
            self._read[key] = self._seconds()
            self._read.move_to_end(key)
            while len(self._read) > _MOST_REMEMBERED:
                self._read.popitem(last=False)


def _of(candidates: Sequence[Candidate]) -> tuple[list[str], list[ListVersion]]:
    """Return the people and the lists among candidates."""
    return (
        [each.nominal for each in candidates],
        [ListVersion(each.watchlist, each.watchlist_version) for each in candidates],
    )
