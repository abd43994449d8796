"""Acts of administration: through the server where one runs, else on the data directory itself.

An address that was given is called and nothing else. Without one, ``DATA/server.json`` says whether a server runs; one
that does not answer has crashed, or is another's, and the data directory's lock tells which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from frs.cli.client import Client, connect
from frs.errors import FrsError, Reason
from frs.server.folders import require_initialised, server_file
from frs.settings import Settings

T = TypeVar("T")


def at_server_or_at_rest(
    settings: Settings,
    address: str | None,
    identity: str,
    served: Callable[[Client], T],
    at_rest: Callable[[], T],
) -> T:
    """Have the server do it, or do it here. Raises FrsError: SERVER_UNREACHABLE, DATA_DIRECTORY_IN_USE and others."""
    if address or server_file(settings).exists():
        client = connect(settings, address, identity)
        try:
            return served(client)
        except FrsError as error:
            if address or error.reason is not Reason.SERVER_UNREACHABLE:
                raise
        finally:
            client.close()
    require_initialised(settings)
    return at_rest()
