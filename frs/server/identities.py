"""``IdentityService``: who may do what, and who no longer may."""

from __future__ import annotations

from typing import Any

from frs.access.registry import Identities
from frs.audit.actions import Action
from frs.server import names
from frs.server.caller import caller, caller_identity
from frs.server.conversions.identities import asked_roles, asked_scope, caller_message, identity_message
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.v1 import identity_pb2, identity_pb2_grpc


class IdentityServicer(identity_pb2_grpc.IdentityServiceServicer):
    """Shows identities, and narrows, ends and restores what they may do."""

    def __init__(self, identities: Identities, journal: Journal, workers: Workers, stops: Workers) -> None:
        """Take threads; ``stops`` are of their own: taking power away never waits behind searches."""
        self._identities = identities
        self._journal = journal
        self._workers = workers
        self._stops = stops

    async def WhoAmI(self, request: identity_pb2.WhoAmIRequest, context: Any) -> identity_pb2.Identity:
        """Return who calls."""
        return caller_message(caller_identity())

    async def ListIdentities(
        self, request: identity_pb2.ListIdentitiesRequest, context: Any
    ) -> identity_pb2.ListIdentitiesResponse:
        """Return a page of those known, by name; the consultation is logged first."""
        page = await self._workers.run(self._identities.list, page_size(request.page_size), request.page_token)
        await self._workers.run(self._journal.record, caller(), Action.IDENTITY_READ, {"shown": len(page.items)})
        return identity_pb2.ListIdentitiesResponse(
            identities=[identity_message(each) for each in page.items], next_page_token=page.next_token
        )

    async def LimitIdentity(self, request: identity_pb2.LimitIdentityRequest, context: Any) -> identity_pb2.Identity:
        """Set the most that one may do."""
        name, reason = names.last_id(names.IDENTITY, request.name), request.reason.strip()
        roles, scope = asked_roles(list(request.roles)), asked_scope(request.scope)
        return identity_message(await self._stops.run(self._identities.limit, caller(), name, roles, scope, reason))

    async def RevokeIdentity(self, request: identity_pb2.RevokeIdentityRequest, context: Any) -> identity_pb2.Identity:
        """Refuse every credential of one."""
        name = names.last_id(names.IDENTITY, request.name)
        return identity_message(await self._stops.run(self._identities.revoke, caller(), name, request.reason.strip()))

    async def RestoreIdentity(
        self, request: identity_pb2.RestoreIdentityRequest, context: Any
    ) -> identity_pb2.Identity:
        """Accept one again."""
        name = names.last_id(names.IDENTITY, request.name)
        return identity_message(await self._stops.run(self._identities.restore, caller(), name, request.reason.strip()))
