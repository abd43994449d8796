"""Enrolments that were refused are on the record too: who tried to list whom, on which list, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.errors import FrsError, Status
from frs.store.database import Database
from frs.types import Actor, Event, Json, ListVersion, References
from frs.watchlist.faces import digest
from frs.watchlist.model import ImageDraft
from frs.watchlist.standing import Standings

_RECORDED = frozenset({Status.INVALID_ARGUMENT, Status.FAILED_PRECONDITION, Status.ALREADY_EXISTS})
"""Refusals of the policy; a failure of the service itself, or a name that does not exist, is no refusal."""


class Refusals:
    """Logs refused enrolments. Thread-safe."""

    def __init__(self, database: Database, audit: AuditLog, standings: Standings) -> None:
        self._database, self._audit, self._standings = database, audit, standings

    @contextmanager
    def recorded(self, actor: Actor, watchlist: str, nominal: str, images: Sequence[ImageDraft]) -> Iterator[None]:
        """Log the refusal that leaves the block, in a transaction of its own, and let it go on.

        FrsError LOG_UNAVAILABLE and what storage raises, in its place, when it cannot be logged.
        """
        try:
            yield
        except FrsError as error:
            standing = self._standings.get(watchlist)
            if error.status in _RECORDED and standing is not None:
                payload: dict[str, Json] = {
                    "reason": str(error.reason),
                    "message": error.message,
                    "images": [digest(image) for image in images],
                }
                references = References(
                    watchlists=(ListVersion(watchlist, standing.version),), subjects=(nominal,) if nominal else ()
                )
                event = Event(Action.ENROLMENT_REFUSED, actor, references, payload)
                self._database.write(lambda tx: self._audit.append(tx, event))
            raise
