"""``DeploymentService``."""

from __future__ import annotations

from typing import Any

from frs.match.deployments import Deployments
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.deployments import deployment_message, draft
from frs.server.paging import page_size
from frs.server.workers import Workers
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
        return deployment_message(opened)

    async def GetDeployment(
        self, request: deployment_pb2.GetDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Return one."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        return deployment_message(await self._workers.run(self._deployments.get, name))

    async def ListDeployments(
        self, request: deployment_pb2.ListDeploymentsRequest, context: Any
    ) -> deployment_pb2.ListDeploymentsResponse:
        """Return a page of them, newest first."""
        page = await self._workers.run(self._deployments.list, page_size(request.page_size), request.page_token)
        return deployment_pb2.ListDeploymentsResponse(
            deployments=[deployment_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def EndDeployment(
        self, request: deployment_pb2.EndDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """End it in the ordinary way."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        ended = await self._stops.run(self._deployments.end, caller(), name, request.reason.strip())
        return deployment_message(ended)

    async def StopDeployment(
        self, request: deployment_pb2.StopDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Stop it at once."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        stopped = await self._stops.run(self._deployments.stop, caller(), name, request.reason.strip())
        return deployment_message(stopped)
