"""``DeploymentService``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from frs.match.deployments import Deployment, Deployments
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.deployments import deployment_message, draft
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.types import Scope
from frs.v1 import deployment_pb2, deployment_pb2_grpc


class DeploymentServicer(deployment_pb2_grpc.DeploymentServiceServicer):
    """Opens, shows, ends and stops deployments."""

    def __init__(self, deployments: Deployments, workers: Workers, stops: Workers) -> None:
        self._deployments = deployments
        self._workers = workers
        self._stops = stops

    async def OpenDeployment(
        self, request: deployment_pb2.OpenDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Open one."""
        opened = await self._workers.run(self._deployments.open, caller(), draft(request.deployment))
        return _message(opened, caller().scope)

    async def GetDeployment(
        self, request: deployment_pb2.GetDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Return one."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        scope = caller().scope
        return _message(await self._workers.run(self._deployments.get, name, scope), scope)

    async def ListDeployments(
        self, request: deployment_pb2.ListDeploymentsRequest, context: Any
    ) -> deployment_pb2.ListDeploymentsResponse:
        """Return a page of them, newest first."""
        size, scope = page_size(request.page_size), caller().scope
        page = await self._workers.run(self._deployments.list, size, request.page_token, scope)
        return deployment_pb2.ListDeploymentsResponse(
            deployments=[_message(item, scope) for item in page.items], next_page_token=page.next_token
        )

    async def EndDeployment(
        self, request: deployment_pb2.EndDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """End it in the ordinary way."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        ended = await self._stops.run(self._deployments.end, caller(), name, request.reason.strip())
        return _message(ended, caller().scope)

    async def StopDeployment(
        self, request: deployment_pb2.StopDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Stop it at once."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        stopped = await self._stops.run(self._deployments.stop, caller(), name, request.reason.strip())
        return _message(stopped, caller().scope)


def _message(found: Deployment, scope: Scope) -> deployment_pb2.Deployment:
    """Return a deployment as the caller may see it: of its lists, those within their scope."""
    visible = tuple(entry for entry in found.watchlists if scope.has_watchlist(entry.watchlist))
    return deployment_message(replace(found, watchlists=visible))
