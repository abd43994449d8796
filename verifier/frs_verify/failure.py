"""What is said when something does not verify, or cannot be looked at."""

from __future__ import annotations


class DoesNotVerifyError(Exception):
    """The evidence does not hold. The message says what and why; ``event`` is the index it is about, where known."""

    def __init__(self, message: str, event: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.event = event


class CannotVerifyError(Exception):
    """Nothing was verified: a file is not there, or a key is none."""
