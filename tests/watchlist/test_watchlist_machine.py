"""A watchlist through any history: its state, versions, index and log stay what the rules say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from frs.embed.loading import load_engine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.types import Actor, Mode, new_id
from frs.watchlist.model import SubjectState, WatchlistChanges, WatchlistState
from tests.installation import Installation, engine_settings, lay_out
from tests.manual_clock import ManualClock
from tests.watchlist.watchlist_drafts import (
    MANAGER,
    OFFICER,
    OTHER_OFFICER,
    actions,
    image,
    person,
    watchlist_draft,
)

DRAFT, APPROVED, ACTIVE, RETIRED = WatchlistState


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, starter_pack: Pack) -> Iterator[Installation]:
    """Give an installation whose detector works on small pictures, for speed."""
    chosen = engine_settings(starter_pack, tmp_path_factory.mktemp("machine") / "data")
    chosen = chosen.model_copy(update={"embed": chosen.embed.model_copy(update={"detector_size": 160})})
    lay_out(chosen)
    engine = load_engine(chosen)
    made = Installation(chosen, ManualClock(), engine)
    made.open()
    yield made
    made.close()
    engine.close()


class ListMachine(RuleBasedStateMachine):
    """One watchlist and what the rules say of it."""

    house: ClassVar[Installation]
    people: ClassVar[tuple[bytes, ...]]

    @initialize()
    def create(self) -> None:
        self.name = f"list-{new_id()}"
        self.lists = self.house.watchlists
        made = self.lists.create(MANAGER, watchlist_draft(self.house.clock.now(), self.name))
        self.state, self.version, self.reviewed, self.expires = DRAFT, 1, 0, made.expires_at
        self.subjects: dict[str, dict[str, str]] = {}  # nominal -> {subject id, image ids}
        self.ids: dict[str, str] = {}
        self.log = ["watchlist.created"]
        self.drafters = {MANAGER}
        self.refused = 0

    def attempt(self, allowed: bool, reason: set[Reason], act: object) -> bool:
        """Run the act; it must succeed or be refused as the rules say."""
        assert callable(act)
        if allowed:
            act()
            return True
        with pytest.raises(FrsError) as caught:
            act()
        assert caught.value.reason in reason
        return False

    def widened(self, event: str, actor: Actor = MANAGER) -> None:
        self.version += 1
        self.drafters.add(actor)
        self.state = DRAFT if self.state is APPROVED else self.state
        self.log.append(event)

    def narrowed(self, event: str) -> None:
        self.reviewed += self.reviewed == self.version
        self.version += 1
        self.log.append(event)

    @property
    def expired(self) -> bool:
        return self.house.clock.now() >= self.expires

    @property
    def filled(self) -> bool:
        return any(self.subjects.values())

    def may_add(self, actor: Actor) -> bool:
        return self.state is not RETIRED and not self.expired and (self.state is not ACTIVE or actor is OFFICER)

    @rule(number=st.integers(0, 5), actor=st.sampled_from([MANAGER, OFFICER]))
    def enrol(self, number: int, actor: Actor) -> None:
        nominal = f"N-{number}"
        allowed = self.may_add(actor) and nominal not in self.ids

        def act() -> None:
            made = self.lists.enrol(actor, self.name, person(nominal), [image(self.people[number])]).subject
            self.ids[nominal] = made.id
            self.subjects[nominal] = {made.images[0].id: made.images[0].sha256}

        wrong = {Reason.WATCHLIST_WRONG_STATE, Reason.WATCHLIST_EXPIRED, Reason.SUBJECT_EXISTS}
        if self.attempt(allowed, wrong, act):
            self.widened("subject.enrolled", actor)
        else:
            self.log.append("enrolment.refused")

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), extra=st.binary(min_size=1, max_size=2), actor=st.sampled_from([MANAGER, OFFICER]))
    def add_image(self, data: st.DataObject, extra: bytes, actor: Actor) -> None:
        nominal = data.draw(st.sampled_from(sorted(self.ids)))
        draft = image(self.people[int(nominal[2:])] + extra)
        known = self.lists.get_subject(self.ids[nominal]).images

        def act() -> None:
            made = self.lists.add_image(actor, self.ids[nominal], draft).subject
            new = {i.id: i.sha256 for i in made.images}
            assert len(new) == len(known) + 1
            self.subjects[nominal] = new

        held = hashlib.sha256(draft.data).hexdigest() in self.subjects[nominal].values()
        allowed = self.may_add(actor) and not held
        wrong = {Reason.WATCHLIST_WRONG_STATE, Reason.WATCHLIST_EXPIRED, Reason.IMAGE_EXISTS}
        if self.attempt(allowed, wrong, act):
            self.widened("subject.image-added", actor)
        else:
            self.log.append("enrolment.refused")

    @precondition(lambda self: self.filled)
    @rule(data=st.data())
    def remove_image(self, data: st.DataObject) -> None:
        nominal = data.draw(st.sampled_from(sorted(n for n, images in self.subjects.items() if images)))
        gone = data.draw(st.sampled_from(sorted(self.subjects[nominal])))
        self.lists.remove_image(MANAGER, gone, "wrong picture")
        del self.subjects[nominal][gone]
        self.narrowed("subject.image-removed")

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        nominal = data.draw(st.sampled_from(sorted(self.ids)))
        self.lists.withdraw(MANAGER, self.ids.pop(nominal), "found")
        del self.subjects[nominal]
        self.narrowed("subject.withdrawn")

    @rule(number=st.integers(0, 3))
    def update(self, number: int) -> None:
        changes = WatchlistChanges(purpose=f"purpose {number} of {self.version}")
        act = lambda: self.lists.update(MANAGER, self.name, changes)  # noqa: E731  # one of many acts
        if self.attempt(self.state in {DRAFT, APPROVED}, {Reason.WATCHLIST_WRONG_STATE}, act):
            self.widened("watchlist.updated")

    @rule(hours=st.integers(1, 40))
    def bring_expiry_forward(self, hours: int) -> None:
        earlier = self.expires - timedelta(hours=hours)
        if earlier <= self.house.clock.now():
            return
        act = lambda: self.lists.update(MANAGER, self.name, WatchlistChanges(expires_at=earlier))  # noqa: E731
        if self.attempt(self.state is not RETIRED, {Reason.WATCHLIST_WRONG_STATE}, act):
            self.expires = earlier
            (self.narrowed if self.state is ACTIVE else self.widened)("watchlist.updated")

    @rule(actor=st.sampled_from([OFFICER, OTHER_OFFICER]))
    def approve(self, actor: Actor) -> None:
        open_to = self.state is DRAFT and self.filled and not self.expired
        wrong = {Reason.WATCHLIST_WRONG_STATE, Reason.WATCHLIST_EMPTY, Reason.WATCHLIST_EXPIRED}
        if open_to:
            wrong = {Reason.SEPARATION_OF_DUTIES}
        allowed = open_to and actor not in self.drafters
        if self.attempt(allowed, wrong, lambda: self.lists.approve(actor, self.name, self.version)):
            self.state = APPROVED
            self.drafters = set()
            self.log.append("watchlist.approved")

    @rule()
    def activate(self) -> None:
        allowed = self.state is APPROVED and self.filled and not self.expired
        wrong = {Reason.WATCHLIST_WRONG_STATE, Reason.WATCHLIST_EMPTY, Reason.WATCHLIST_EXPIRED}
        if self.attempt(allowed, wrong, lambda: self.lists.activate(MANAGER, self.name)):
            self.state = ACTIVE
            self.log.append("watchlist.activated")

    @rule()
    def review(self) -> None:
        if self.attempt(
            self.state is not RETIRED,
            {Reason.WATCHLIST_WRONG_STATE},
            lambda: self.lists.review(OFFICER, self.name, self.version),
        ):
            self.reviewed = self.version
            self.log.append("watchlist.reviewed")

    @precondition(lambda self: self.version > 4)
    @rule()
    def retire(self) -> None:
        act = lambda: self.lists.retire(MANAGER, self.name, "over")  # noqa: E731
        if self.attempt(self.state is not RETIRED, {Reason.WATCHLIST_WRONG_STATE}, act):
            self.state = RETIRED
            self.log.append("watchlist.retired")

    @rule(hours=st.integers(1, 100))
    def wait(self, hours: int) -> None:
        self.house.clock.advance(hours=hours)

    @precondition(lambda self: self.version > 3)
    @rule()
    def rebuild(self) -> None:
        self.lists.rebuild()

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "log"):
            return
        found = self.lists.get(self.name)
        assert (found.state, found.version, found.expires_at) == (self.state, self.version, self.expires)
        assert (found.reviewed_version or 0) == self.reviewed
        if self.state is not RETIRED:
            assert (found.approved_by is not None) == (self.state in {APPROVED, ACTIVE})
        assert (found.subject_count, found.image_count) == (len(self.ids), sum(map(len, self.subjects.values())))
        enrolled = self.lists.list_subjects(self.name, 100, state=SubjectState.ENROLLED).items
        assert {s.nominal: {i.id for i in s.images} for s in enrolled} == {n: set(i) for n, i in self.subjects.items()}
        galleries = self.house.galleries
        assert galleries.revision(self.name) == (None if self.state is RETIRED else found.revision)
        if self.state is not RETIRED:
            query = np.zeros((1, galleries.dimension), np.float32)
            query[0, 0] = 1
            (hits,) = galleries.search(query, [self.name], 50)
            assert {hit.subject for hit in hits} == {self.ids[n] for n, images in self.subjects.items() if images}
        live = [self.version] if self.state is ACTIVE and not self.expired else []
        assert [entry.version for entry in self.lists.matchable([self.name], Mode.LIVE)] == live

    def teardown(self) -> None:
        if hasattr(self, "log"):
            assert actions(self.house, watchlist=self.name) == self.log
            if self.state is not RETIRED:
                self.lists.retire(MANAGER, self.name, "the example is over")


def test_any_history_keeps_to_the_rules(house: Installation, sample_people: tuple[bytes, ...]) -> None:
    """Whatever is done in whatever order, state, version, review, index and log are what the rules say."""
    machine = type("Machine", (ListMachine,), {"house": house, "people": sample_people})
    limits = settings(max_examples=12, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(machine, settings=limits)
