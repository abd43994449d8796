"""Two people, two duties: who made a watchlist what it is does not approve it; and what a scope leaves of the lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from frs.access.actor import LOOPBACK
from frs.errors import FrsError, Reason
from frs.types import Actor, Mode, Role, Scope, new_id
from frs.watchlist.model import SubjectState, WatchlistChanges, WatchlistState
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import (
    MANAGER,
    OFFICER,
    OTHER_OFFICER,
    Desk,
    active,
    image,
    person,
    watchlist_draft,
)

BOTH = Actor("ana", frozenset({Role.WATCHLIST_MANAGER, Role.AUTHORISING_OFFICER}), "certificate:0d")


@pytest.fixture
def desk(module_installation: Installation, sample_people: tuple[bytes, ...]) -> Desk:
    """Return a draft of a name of its own with one subject, all of it by the manager."""
    lists, name = module_installation.watchlists, f"list-{new_id()}"
    lists.create(MANAGER, watchlist_draft(module_installation.clock.now(), name))
    lists.enrol(MANAGER, name, person(), [image(sample_people[0])])
    return Desk(module_installation, name)


def refused(act: Callable[[], object]) -> FrsError:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value


def test_who_created_a_list_does_not_approve_it(module_installation: Installation, sample_people: tuple[bytes]) -> None:
    """Whatever roles one person holds, another must approve; nothing is changed by the attempt."""
    lists, name = module_installation.watchlists, f"list-{new_id()}"
    lists.create(BOTH, watchlist_draft(module_installation.clock.now(), name))
    lists.enrol(MANAGER, name, person(), [image(sample_people[0])])
    before = lists.get(name)
    assert refused(lambda: lists.approve(BOTH, name)).reason is Reason.SEPARATION_OF_DUTIES
    assert lists.get(name) == before
    assert lists.approve(OFFICER, name).state is WatchlistState.APPROVED


@pytest.mark.parametrize("act", ["enrol", "image", "update"])
def test_who_widened_a_list_does_not_approve_it(desk: Desk, act: str, sample_people: tuple[bytes, ...]) -> None:
    """Enrolling, adding a picture and changing the definition count alike; another officer approves."""
    lists = desk.watchlists
    subject = lists.list_subjects(desk.name).items[0].id
    acts: dict[str, Callable[[], object]] = {
        "enrol": lambda: lists.enrol(OFFICER, desk.name, person("N-2"), [image(sample_people[1])]),
        "image": lambda: lists.add_image(OFFICER, subject, image(sample_people[0] + b"\n")),
        "update": lambda: lists.update(BOTH, desk.name, WatchlistChanges(purpose="another")),
    }
    acts[act]()
    who = BOTH if act == "update" else OFFICER
    assert refused(lambda: lists.approve(who, desk.name)).reason is Reason.SEPARATION_OF_DUTIES
    lists.approve(OTHER_OFFICER, desk.name)


def test_an_approval_closes_what_came_before_it(desk: Desk) -> None:
    """After an approval only who changed the list since is kept from the next: the earlier drafters are not."""
    lists = desk.watchlists
    lists.update(BOTH, desk.name, WatchlistChanges(purpose="first"))
    lists.approve(OFFICER, desk.name)
    lists.update(MANAGER, desk.name, WatchlistChanges(purpose="second"))
    assert lists.approve(BOTH, desk.name).approved_by == BOTH.name


def test_who_narrowed_a_list_may_approve_it(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A withdrawal is an emergency act and a smaller list needs no second person."""
    lists = desk.watchlists
    second = lists.enrol(MANAGER, desk.name, person("N-2"), [image(sample_people[1])]).subject
    lists.withdraw(OFFICER, second.id, "arrested")
    assert lists.approve(OFFICER, desk.name).state is WatchlistState.APPROVED


def test_nothing_is_separated_where_nobody_can_be_told_apart(
    module_installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """On plaintext loopback everybody is one actor, who could not set anything up otherwise."""
    lists, name = module_installation.watchlists, f"list-{new_id()}"
    lists.create(LOOPBACK, watchlist_draft(module_installation.clock.now(), name))
    lists.enrol(LOOPBACK, name, person(), [image(sample_people[0])])
    assert lists.approve(LOOPBACK, name).state is WatchlistState.APPROVED


# --- scopes -----------------------------------------------------------------------------------------------------------


def told(error: FrsError, name: str) -> tuple[Reason, str, dict[str, str]]:
    """Return what a refusal tells, with the name that was asked for taken out."""
    said = {key: value.replace(name, "NAME") for key, value in error.metadata.items()}
    return error.reason, error.message.replace(name, "NAME"), said


def test_a_list_outside_the_scope_is_told_as_one_that_does_not_exist(
    desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """Every act and every reading: the same reason, the same words, and nothing is changed."""
    lists, scope, missing = desk.watchlists, Scope(watchlists=frozenset({"another"})), f"list-{new_id()}"
    actor = replace(BOTH, scope=scope)
    acts: list[Callable[[str], object]] = [
        lambda name: lists.get(name, scope),
        lambda name: lists.update(actor, name, WatchlistChanges(purpose="mine")),
        lambda name: lists.update(actor, name, WatchlistChanges(purpose="mine"), 99),
        lambda name: lists.approve(actor, name),
        lambda name: lists.activate(actor, name),
        lambda name: lists.review(actor, name),
        lambda name: lists.retire(actor, name, "over"),
        lambda name: lists.enrol(actor, name, person("N-7"), [image(sample_people[1])]),
        lambda name: lists.list_subjects(name, scope=scope),
        lambda name: lists.searchable([name], Mode.LIVE, scope),
    ]
    before = desk.found()
    for act in acts:
        inside, nowhere = refused(partial(act, desk.name)), refused(partial(act, missing))
        assert told(inside, desk.name) == told(nowhere, missing)
        assert inside.reason is Reason.WATCHLIST_NOT_FOUND
    assert desk.found() == before


def test_a_subject_outside_the_scope_is_told_as_one_that_does_not_exist(
    desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """Of subjects and images alike; a withdrawn subject is no exception."""
    lists, scope = desk.watchlists, Scope(watchlists=frozenset({"another"}))
    actor, missing = replace(BOTH, scope=scope), new_id()
    subject = lists.list_subjects(desk.name).items[0]
    acts: list[Callable[[str], object]] = [
        lambda name: lists.get_subject(name, scope),
        lambda name: lists.add_image(actor, name, image(sample_people[1])),
        lambda name: lists.withdraw(actor, name, "found"),
    ]
    for _ in range(2):
        for act in acts:
            inside, nowhere = refused(partial(act, subject.id)), refused(partial(act, missing))
            assert told(inside, subject.id) == told(nowhere, missing)
            assert inside.reason is Reason.SUBJECT_NOT_FOUND
        if picture := subject.images:
            name = picture[0].id
            inside = refused(partial(lists.remove_image, actor, name, "wrong"))
            nowhere = refused(partial(lists.remove_image, actor, missing, "wrong"))
            assert told(inside, name) == told(nowhere, missing)
        if lists.get_subject(subject.id).state is SubjectState.ENROLLED:
            lists.withdraw(MANAGER, subject.id, "found")


def test_a_limited_identity_sees_and_makes_its_own_lists_alone(
    module_installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """Listings hold what is within the scope; a name outside it cannot be taken, whether it is free or not."""
    lists, own, other = module_installation.watchlists, f"list-{new_id()}", f"list-{new_id()}"
    scope = Scope(watchlists=frozenset({own}))
    limited = replace(MANAGER, scope=scope)
    lists.create(limited, watchlist_draft(module_installation.clock.now(), own))
    active(module_installation, sample_people[0], name=other)
    assert [found.id for found in lists.list(scope=scope).items] == [own]
    draft = watchlist_draft(module_installation.clock.now(), other)
    taken = refused(lambda: lists.create(limited, draft))
    free = refused(lambda: lists.create(limited, replace(draft, id=f"list-{new_id()}")))
    assert taken.reason is free.reason is Reason.PERMISSION_DENIED
    assert taken.message == free.message
