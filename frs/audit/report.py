"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold."""

    message: str
    event: int | None = None
    """The event concerned, where it can be told."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The outcome of a verification; nothing is wrong only when ``problems`` is empty."""

    events: int
    """How many events were examined."""
    root: bytes
    """Root of the tree of those events, computed anew from their leaves."""
    checkpoints: int
    """Signed checkpoints that were checked."""
    payloads_opened: int
    """Payloads that were opened and are the ones their leaves commit to."""
    payloads_erased: int
    """Payloads whose key has been destroyed."""
    problems: tuple[Problem, ...]
    signed: int = 0
    """Events, from the first on, that a signed checkpoint covers and agrees with."""

    @property
    def verified(self) -> bool:
        """Whether everything holds."""
        return not self.problems

    @property
    def first_event(self) -> int | None:
        """The lowest event that a problem names."""
        named = [problem.event for problem in self.problems if problem.event is not None]
        return min(named, default=None)
