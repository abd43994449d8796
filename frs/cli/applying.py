"""Carrying out a plan through the contract: one call for each act, a refusal stops no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from frs.cli.client import Client, call
from frs.cli.output import progress, timestamp
from frs.errors import FrsError
from frs.types import Json, Mode
from frs.v1 import common_pb2 as common
from frs.v1 import watchlist_pb2 as pb
from frs.v1.watchlist_pb2_grpc import WatchlistServiceStub
from frs.watchlist.definition import Definition, EntryLine, ImageLine
from frs.watchlist.plan import Plan, SubjectChange

MODES = {
    Mode.LIVE: common.MODE_LIVE,
    Mode.RETROSPECTIVE: common.MODE_RETROSPECTIVE,
    Mode.OPERATOR: common.MODE_OPERATOR,
}
_REASON = "the watchlist's definition no longer lists it"
# One message carries one picture beside its fields, so that several large ones never exceed the message limit.
_FIRST_MESSAGE_BYTES = 18 * 1024 * 1024


@dataclass(slots=True)
class Applied:
    """What was carried out."""

    done: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    """Paths of pictures that are enrolled now."""

    def as_json(self, name: str) -> dict[str, Json]:
        """Return the outcome for ``--json``."""
        return {
            "watchlist": name,
            "done": list(self.done),
            "refused": [{"nominal": nominal, "why": why} for nominal, why in self.refused],
            "warnings": [{"nominal": nominal, "warning": text} for nominal, text in self.warnings],
        }


class Applying:
    """One run of ``apply``."""

    def __init__(self, client: Client, stub: WatchlistServiceStub, folder: Path, definition: Definition) -> None:
        self._client = client
        self._stub = stub
        self._folder = folder
        self._definition = definition
        self._name = f"watchlists/{definition.name}"
        self._applied = Applied()

    def carry_out(self, plan: Plan) -> Applied:
        """Do what the plan says: the definition, then removals, changes, additions."""
        if plan.creates:
            self._create()
        elif plan.fields:
            self._update([change.field for change in plan.fields])
        with progress() as bar:
            task = bar.add_task("enrol", total=len(plan.removed) + len(plan.changed) + len(plan.added))
            for subject in plan.removed:
                self._try(subject.nominal, partial(self._withdraw, subject.name, subject.nominal))
                bar.advance(task)
            for change in plan.changed:
                self._try(change.entry.nominal, partial(self._change, change))
                bar.advance(task)
            for entry in plan.added:
                self._try(entry.nominal, partial(self._enrol, entry))
                bar.advance(task)
        return self._applied

    def _try(self, nominal: str, act: Callable[[], None]) -> None:
        try:
            act()
        except FrsError as error:
            self._applied.refused.append((nominal, f"{error.message} [{error.reason}]"))

    def _watchlist(self) -> pb.Watchlist:
        definition = self._definition
        return pb.Watchlist(
            name=self._name,
            purpose=definition.purpose,
            category=definition.category,
            legal_basis=definition.legal_basis,
            authorising_officer=definition.authorising_officer,
            expire_time=timestamp(definition.expires),
            default_grading=common.Grading.Value(f"GRADING_{definition.grading.upper()}"),
            thresholds=[
                pb.Threshold(mode=MODES[t.mode], score=t.score, model=t.model, profile=t.profile)
                for t in definition.thresholds
            ],
        )

    def _create(self) -> None:
        request = pb.CreateWatchlistRequest(watchlist_id=self._definition.name, watchlist=self._watchlist())
        call(self._client, self._stub.CreateWatchlist, request)
        self._applied.done.append(f"created {self._name}")

    def _update(self, fields: list[str]) -> None:
        names = {"expires": "expire_time", "grading": "default_grading"}
        paths = {"thresholds" if f.startswith("threshold.") else names.get(f, f) for f in fields}
        request = pb.UpdateWatchlistRequest(watchlist=self._watchlist())
        request.update_mask.paths.extend(sorted(paths))
        call(self._client, self._stub.UpdateWatchlist, request)
        self._applied.done.append(f"updated {', '.join(sorted(paths))}")

    def _withdraw(self, name: str, nominal: str) -> None:
        call(self._client, self._stub.WithdrawSubject, pb.WithdrawSubjectRequest(name=name, reason=_REASON))
        self._applied.done.append(f"withdrew {nominal}")

    def _change(self, change: SubjectChange) -> None:
        if change.reenrol:
            self._withdraw(change.subject.name, change.subject.nominal)
            try:
                self._enrol(change.entry)
            except FrsError as error:
                # Two acts of the contract: the first stands, and a person must know.
                message = f"withdrawn, but NOT enrolled anew: {error.message}"
                raise FrsError(error.reason, message, **error.metadata) from None
            return
        # Additions first: a subject is never left without a picture in between.
        for image in change.added:
            self._add(change.subject.name, change.entry.nominal, image)
        for present in change.removed:
            request = pb.RemoveSubjectImageRequest(name=present.name, reason=_REASON)
            call(self._client, self._stub.RemoveSubjectImage, request)
        self._applied.done.append(f"changed {change.entry.nominal}")

    def _enrol(self, entry: EntryLine) -> None:
        together: list[pb.ImageDraft] = []
        size = 0
        for image in entry.images:
            draft = self._draft(image)
            size += len(draft.data)
            if together and size > _FIRST_MESSAGE_BYTES:
                break
            together.append(draft)
        request = pb.EnrolSubjectRequest(
            parent=self._name,
            subject=pb.Subject(
                nominal=entry.nominal,
                justification=entry.justification,
                lawfully_held=entry.lawfully_held,
                grading=common.Grading.Value(f"GRADING_{entry.grading.upper()}"),
                under_18=entry.under_18,
                under_18_rationale=entry.under_18_rationale,
            ),
            images=together,
        )
        answer = call(self._client, self._stub.EnrolSubject, request)
        self._applied.done.append(f"enrolled {entry.nominal}")
        self._applied.warnings += [(entry.nominal, warning) for warning in answer.warnings]
        self._applied.pictures += [image.path for image in entry.images[: len(together)]]
        for image in entry.images[len(together) :]:
            self._add(answer.subject.name, entry.nominal, image)

    def _add(self, subject: str, nominal: str, image: ImageLine) -> None:
        request = pb.AddSubjectImageRequest(parent=subject, image=self._draft(image))
        answer = call(self._client, self._stub.AddSubjectImage, request)
        self._applied.warnings += [(nominal, warning) for warning in answer.warnings]
        self._applied.pictures.append(image.path)

    def _draft(self, image: ImageLine) -> pb.ImageDraft:
        data = (self._folder / image.path).read_bytes()
        return pb.ImageDraft(data=data, source=image.source, taken_on=image.taken_on.isoformat())
