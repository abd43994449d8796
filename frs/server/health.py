"""``grpc.health.v1`` for the whole service ("") and for each service by its full name.

SERVING means: the phase is serving, and every part that the service needs is ready. While the index is rebuilt and
while the service drains, everything is NOT_SERVING. The execution provider in use is in the initial metadata of each
answer (``frs-provider``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from grpc_health.v1 import health, health_pb2

from frs.server.readiness import Part, Phase, Readiness
from frs.server.waiting import Stopping
from frs.types import Json

_ALL = frozenset(Part)
_RECORDS = frozenset({Part.STORE, Part.LOG})
_SEARCH = _RECORDS | {Part.MODEL, Part.INDEX}

NEEDS: dict[str, frozenset[Part]] = {
    "": _ALL,
    "frs.v1.WatchlistService": _SEARCH,
    "frs.v1.DeploymentService": _RECORDS,
    "frs.v1.LiveService": _SEARCH,
    "frs.v1.RetrospectiveService": _ALL,
    "frs.v1.OperatorService": _SEARCH,
    "frs.v1.ReviewService": _RECORDS,
    "frs.v1.OfficerService": _RECORDS,
    "frs.v1.VigilanceService": _SEARCH,
    "frs.v1.IdentityService": _RECORDS,
    "frs.v1.OversightService": _RECORDS,
    "frs.v1.RetentionService": _RECORDS,
    "frs.v1.AdministrationService": _RECORDS,
}
PROVIDER_KEY = "frs-provider"
LAST_WORD_SECONDS = 0.5

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health(health.aio.HealthServicer):  # type: ignore[misc]  # grpc_health is not typed
    """The health service; :meth:`publish` after each change of the readiness."""

    def __init__(self, readiness: Readiness, provider: str, stopping: Stopping) -> None:
        super().__init__()
        self._stopping = stopping
        self._readiness = readiness
        self._provider = provider
        self._server_status = dict.fromkeys(NEEDS, _NOT_SERVING)

    async def publish(self) -> None:
        """Tell whoever asks or watches."""
        for service, needs in NEEDS.items():
            status = _SERVING if self._readiness.ready(needs) else _NOT_SERVING
            if self._server_status[service] != status:
                await self.set(service, status)

    async def Check(self, request: Any, context: Any) -> Any:
        """Answer with the provider in the initial metadata."""
        await context.send_initial_metadata(((PROVIDER_KEY, self._provider),))
        return await super().Check(request, context)

    async def List(self, request: Any, context: Any) -> Any:
        """Answer for every service at once."""
        await context.send_initial_metadata(((PROVIDER_KEY, self._provider),))
        statuses = {name: health_pb2.HealthCheckResponse(status=self._server_status[name]) for name in NEEDS}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, context: Any) -> None:
        """Send each change until the client leaves or the server stops, whose NOT_SERVING is sent first."""
        await context.send_initial_metadata(((PROVIDER_KEY, self._provider),))
        watching = asyncio.ensure_future(super().Watch(request, context))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({watching}, timeout=LAST_WORD_SECONDS)
        finally:
            watching.cancel()
            stopped.cancel()
            await asyncio.gather(watching, stopped, return_exceptions=True)


def report(readiness: Readiness, provider: str, model: str) -> tuple[bool, Mapping[str, Json]]:
    """Return whether all is well, and the body of /health."""
    well = readiness.ready(_ALL)
    faults: dict[str, Json] = {str(part): what for part, what in readiness.faults.items()}
    return well, {
        "status": "serving" if well else "not serving",
        "phase": str(readiness.phase),
        "provider": provider,
        "model": model,
        "faults": faults if readiness.phase is not Phase.STARTING else {},
        "warnings": {**readiness.warnings},
        "services": {name: readiness.ready(needs) for name, needs in NEEDS.items() if name},
    }
