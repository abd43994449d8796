"""Following a feed of changes for ever: a connection that is lost is made again from the last position."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from frs.cli.client import Client, receive
from frs.cli.output import warn
from frs.errors import FrsError, Status

_FIRST_WAIT, _LONGEST_WAIT, _ANSWERED = 1.0, 30.0, 2.0  # seconds


def follow(client: Client, method: Callable[[Any], Iterator[Any]], request: Any) -> Iterator[Any]:
    """Yield the changes of a feed whose request has ``after_position`` and whose answers have ``position``.

    A refusal, and a server that never answered, end it with FrsError.
    """
    wait, connected = _FIRST_WAIT, False
    while True:
        begun = time.monotonic()
        try:
            for change in receive(client, method(request)):
                request.after_position = change.position
                wait, connected = _FIRST_WAIT, True
                yield change
        except FrsError as error:
            # A stream without changes says nothing: one that lasted was answered.
            connected = connected or time.monotonic() - begun > _ANSWERED
            if error.status is not Status.UNAVAILABLE or not connected:
                raise
            warn(f"{error.message}; connecting again in {wait:.0f} s")
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
