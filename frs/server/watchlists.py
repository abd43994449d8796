"""``WatchlistService``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.watchlists import (
    enrolment_message,
    image_draft,
    subject_draft,
    subject_message,
    subject_state,
    watchlist_changes,
    watchlist_draft,
    watchlist_message,
    watchlist_state,
)
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.types import Actor, Json, Page
from frs.v1 import watchlist_pb2 as pb
from frs.v1 import watchlist_pb2_grpc
from frs.watchlist.model import Enrolment, ImageDraft, Subject, SubjectState, Watchlist, WatchlistState
from frs.watchlist.records import unknown_subject
from frs.watchlist.registry import Watchlists

# Where the contract has what the watchlist room calls by its own name, for each request; a name not here is the same.
_UPDATE_PATHS = {
    **{name: f"watchlist.{name}" for name in ("purpose", "category", "legal_basis", "authorising_officer")},
    "expires_at": "watchlist.expire_time",
    "thresholds": "watchlist.thresholds",
}
_CREATE_PATHS = {"id": "watchlist_id", **_UPDATE_PATHS}
_ENROL_PATHS = {name: f"subject.{name}" for name in ("nominal", "justification", "lawfully_held", "under_18_rationale")}
_ADD_PATHS = {f"images[0].{name}": f"image.{name}" for name in ("source", "taken_on")}


class WatchlistServicer(watchlist_pb2_grpc.WatchlistServiceServicer):
    """Keeps watchlists and the people on them; each reading is logged before it is answered."""

    def __init__(
        self, watchlists: Watchlists, consultations: Consultations, workers: Workers, stops: Workers, clock: Clock
    ) -> None:
        self._watchlists = watchlists
        self._consultations = consultations
        self._workers = workers
        self._stops = stops
        self._clock = clock

    async def CreateWatchlist(self, request: pb.CreateWatchlistRequest, context: Any) -> pb.Watchlist:
        """Make a draft."""
        draft = watchlist_draft(request.watchlist_id, request.watchlist)
        with _in_request(_CREATE_PATHS):
            return self._message(await self._workers.run(self._watchlists.create, caller(), draft))

    async def GetWatchlist(self, request: pb.GetWatchlistRequest, context: Any) -> pb.Watchlist:
        """Return one."""
        return self._message(await self._workers.run(self._read, caller(), _list(request.name)))

    async def ListWatchlists(self, request: pb.ListWatchlistsRequest, context: Any) -> pb.ListWatchlistsResponse:
        """Return a page of them, by name."""
        page = await self._workers.run(
            self._read_page,
            caller(),
            page_size(request.page_size),
            request.page_token,
            watchlist_state(request.state),
        )
        return pb.ListWatchlistsResponse(
            watchlists=[self._message(item) for item in page.items], next_page_token=page.next_token
        )

    async def UpdateWatchlist(self, request: pb.UpdateWatchlistRequest, context: Any) -> pb.Watchlist:
        """Change a definition."""
        wanted = request.watchlist
        with _in_request(_UPDATE_PATHS):
            changed = await self._workers.run(
                self._watchlists.update,
                caller(),
                _list(wanted.name),
                watchlist_changes(wanted, request.update_mask),
                wanted.version or None,
            )
        return self._message(changed)

    async def ApproveWatchlist(self, request: pb.ApproveWatchlistRequest, context: Any) -> pb.Watchlist:
        """Approve a draft."""
        return self._message(
            await self._workers.run(self._watchlists.approve, caller(), _list(request.name), request.version or None)
        )

    async def ActivateWatchlist(self, request: pb.ActivateWatchlistRequest, context: Any) -> pb.Watchlist:
        """Let an approved list be searched."""
        return self._message(await self._workers.run(self._watchlists.activate, caller(), _list(request.name)))

    async def ReviewWatchlist(self, request: pb.ReviewWatchlistRequest, context: Any) -> pb.Watchlist:
        """Record that the present version was reviewed."""
        return self._message(
            await self._workers.run(self._watchlists.review, caller(), _list(request.name), request.version or None)
        )

    async def RetireWatchlist(self, request: pb.RetireWatchlistRequest, context: Any) -> pb.Watchlist:
        """End a list for good."""
        return self._message(
            await self._stops.run(self._watchlists.retire, caller(), _list(request.name), request.reason.strip())
        )

    async def EnrolSubject(self, request: pb.EnrolSubjectRequest, context: Any) -> pb.EnrolSubjectResponse:
        """Enrol a person, or keep nothing."""
        with _in_request(_ENROL_PATHS):
            enrolled = await self._workers.run(
                self._watchlists.enrol,
                caller(),
                _list(request.parent),
                subject_draft(request.subject),
                [image_draft(item) for item in request.images],
            )
        return enrolment_message(enrolled)

    async def AddSubjectImage(self, request: pb.AddSubjectImageRequest, context: Any) -> pb.EnrolSubjectResponse:
        """Add a picture of an enrolled subject."""
        with _in_request(_ADD_PATHS):
            added = await self._workers.run(self._add_image, caller(), request.parent, image_draft(request.image))
        return enrolment_message(added)

    async def RemoveSubjectImage(self, request: pb.RemoveSubjectImageRequest, context: Any) -> pb.Subject:
        """Remove one image and its template."""
        return subject_message(
            await self._workers.run(self._remove_image, caller(), request.name, request.reason.strip())
        )

    async def GetSubject(self, request: pb.GetSubjectRequest, context: Any) -> pb.Subject:
        """Return a person on a list."""
        return subject_message(await self._workers.run(self._read_subject, caller(), request.name))

    async def ListSubjects(self, request: pb.ListSubjectsRequest, context: Any) -> pb.ListSubjectsResponse:
        """Return a page of a list's people, by nominal."""
        page = await self._workers.run(
            self._read_subjects,
            caller(),
            _list(request.parent),
            page_size(request.page_size),
            request.page_token,
            subject_state(request.state),
        )
        return pb.ListSubjectsResponse(
            subjects=[subject_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def WithdrawSubject(self, request: pb.WithdrawSubjectRequest, context: Any) -> pb.Subject:
        """Take a person off a list at once."""
        gone = await self._stops.run(self._withdraw, caller(), request.name, request.reason.strip())
        return subject_message(gone)

    def _message(self, value: Watchlist) -> pb.Watchlist:
        return watchlist_message(value, self._clock.now())

    def _read(self, actor: Actor, name: str) -> Watchlist:
        found = self._watchlists.get(name, actor.scope)
        self._consultations.watchlists(actor, [found], {"asked": "one"})
        return found

    def _read_page(self, actor: Actor, size: int, token: str, state: WatchlistState | None) -> Page[Watchlist]:
        page = self._watchlists.list(size, token, state, actor.scope)
        self._consultations.watchlists(actor, page.items, {"asked": "list", "state": state, "first_page": not token})
        return page

    def _read_subject(self, actor: Actor, name: str) -> Subject:
        found = self._subject(actor, name)
        asked: dict[str, Json] = {"asked": "one", "subject": found.id}
        self._consultations.subjects(actor, [found], self._watchlists.get(found.watchlist), asked)
        return found

    def _read_subjects(
        self, actor: Actor, watchlist: str, size: int, token: str, state: SubjectState | None
    ) -> Page[Subject]:
        page = self._watchlists.list_subjects(watchlist, size, token, state, actor.scope)
        asked: dict[str, Json] = {"asked": "list", "state": state, "first_page": not token}
        self._consultations.subjects(actor, page.items, self._watchlists.get(watchlist), asked)
        return page

    # Ids of subjects and images are unique by themselves; a name must also be true of whose they are.

    def _subject(self, actor: Actor, name: str) -> Subject:
        watchlist, subject = names.ids(names.SUBJECT, name)
        found = self._watchlists.get_subject(subject, actor.scope)
        if found.watchlist != watchlist:
            raise unknown_subject(subject)
        return found

    def _add_image(self, actor: Actor, parent: str, image: ImageDraft) -> Enrolment:
        return self._watchlists.add_image(actor, self._subject(actor, parent).id, image)

    def _remove_image(self, actor: Actor, name: str, reason: str) -> Subject:
        watchlist, subject, image = names.ids(names.IMAGE, name)
        found = self._subject(actor, names.make(names.SUBJECT, watchlist, subject))
        if image not in {item.id for item in found.images}:
            raise FrsError(Reason.IMAGE_NOT_FOUND, f"There is no reference image {image}.", image=image)
        return self._watchlists.remove_image(actor, image, reason)

    def _withdraw(self, actor: Actor, name: str, reason: str) -> Subject:
        return self._watchlists.withdraw(actor, self._subject(actor, name).id, reason)


def _list(name: str) -> str:
    return names.last_id(names.WATCHLIST, name)


@contextmanager
def _in_request(paths: Mapping[str, str]) -> Iterator[None]:
    """Tell a refusal of one of the room's fields by the field's path in the request."""
    try:
        yield
    except FrsError as error:
        field = error.metadata.get("field", "")
        if field not in paths:
            raise
        message = error.message
        if message.startswith(f"{field} "):
            message = paths[field] + message.removeprefix(field)
        raise FrsError(error.reason, message, **(error.metadata | {"field": paths[field]})) from error
