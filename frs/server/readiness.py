"""Where the service is in its life, and what it needs to answer: read by the interceptor and by health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from frs.errors import FrsError, Reason


class Phase(StrEnum):
    """The service's life."""

    STARTING = "starting"
    """The index is being rebuilt from the database."""
    SERVING = "serving"
    DRAINING = "draining"
    """Asked to stop: what was begun is finished, nothing new is taken."""


class Part(StrEnum):
    """What a service may depend on."""

    MODEL = "model"
    INDEX = "index"
    STORE = "store"
    LOG = "log"
    JOBS = "jobs"
    """The thread that works on retrospective jobs."""
    UPKEEP = "upkeep"
    """The thread that closes deployments and destroys uploads when they are due."""


class Readiness:
    """The phase, and for each part what is wrong with it (nothing when it is ready). Used on the event loop only."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self._faults: dict[Part, str] = dict.fromkeys(Part, "starting")
        self._warnings: dict[str, str] = {}
        self._refusal: FrsError | None = None
        self._listeners: tuple[Callable[[FrsError | None], None], ...] = ()

    @property
    def faults(self) -> Mapping[Part, str]:
        """What is wrong, by part; empty when all is well."""
        return self._faults

    @property
    def warnings(self) -> Mapping[str, str]:
        """What does not keep the service from answering, and somebody must see to."""
        return self._warnings

    def observe(
        self, faults: Mapping[Part, str], warnings: Mapping[str, str] | None = None, refusal: FrsError | None = None
    ) -> None:
        """Take over what a probe found; ``refusal`` is what every request is told, if none may be answered."""
        self._faults = dict(faults)
        self._warnings = dict(warnings or {})
        self._refusal = refusal
        for listener in self._listeners:
            listener(refusal)

    def on_observed(self, listener: Callable[[FrsError | None], None]) -> Callable[[], None]:
        """Have what is under way told at each look whether it may go on; return what takes the listener off again.

        It is called with the refusal, or None. One that comes too late for a look is told at the next.
        """
        self._listeners = (*self._listeners, listener)

        def take_off() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return take_off

    def ready(self, parts: frozenset[Part]) -> bool:
        """Return whether a service that needs these parts may answer."""
        return self.phase is Phase.SERVING and not parts & self._faults.keys()

    def require(self) -> None:
        """Raise what a request is told while the service starts or stops."""
        if self.phase is Phase.STARTING:
            raise FrsError(Reason.INDEX_UNAVAILABLE, "the service is starting: the index is being rebuilt")
        if self.phase is Phase.DRAINING:
            raise FrsError(Reason.SHUTTING_DOWN, "the service is stopping and takes no new requests")
        if (refusal := self._refusal) is not None:
            raise FrsError(refusal.reason, refusal.message, **refusal.metadata)
