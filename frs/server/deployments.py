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
from frs.types import Actor, Role
from frs.v1 import deployment_pb2, deployment_pb2_grpc

_IN_CHARGE = frozenset({Role.AUTHORISING_OFFICER, Role.OVERSIGHT})


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
        return _message(opened, caller())

    async def GetDeployment(
        self, request: deployment_pb2.GetDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Return one."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        who = caller()
        return _message(await self._workers.run(self._deployments.get, name, who.scope), who)

    async def ListDeployments(
        self, request: deployment_pb2.ListDeploymentsRequest, context: Any
    ) -> deployment_pb2.ListDeploymentsResponse:
        """Return a page of them, newest first."""
        size, who = page_size(request.page_size), caller()
        page = await self._workers.run(self._deployments.list, size, request.page_token, who.scope)
        return deployment_pb2.ListDeploymentsResponse(
            deployments=[_message(item, who) for item in page.items], next_page_token=page.next_token
        )

    async def EndDeployment(
        self, request: deployment_pb2.EndDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """End it in the ordinary way."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        ended = await self._stops.run(self._deployments.end, caller(), name, request.reason.strip())
        return _message(ended, caller())

    async def StopDeployment(
        self, request: deployment_pb2.StopDeploymentRequest, context: Any
    ) -> deployment_pb2.Deployment:
        """Stop it at once."""
        name = names.last_id(names.DEPLOYMENT, request.name)
        stopped = await self._stops.run(self._deployments.stop, caller(), name, request.reason.strip())
        return _message(stopped, caller())


def _message(found: Deployment, who: Actor) -> deployment_pb2.Deployment:
    """Return a deployment as the caller may see it: of its lists, those within their scope.

    Reviewers are not told how many alerts there were: beside the number of cases, that would say which of them are
    vigilance checks.
    """
    visible = tuple(entry for entry in found.watchlists if who.scope.has_watchlist(entry.watchlist))
    message = deployment_message(replace(found, watchlists=visible))
    if Role.REVIEWER in who.roles and not who.roles & _IN_CHARGE:
        message.review_policy.ClearField("vigilance_rate")
        for camera in message.cameras:
            camera.ClearField("alerts")
    return message
