"""Watchlists: their states, what approval and review cover, and what is logged of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from frs.errors import FrsError, Reason
from frs.types import Mode, new_id
from frs.watchlist.model import Grading, SubjectState, ThresholdSpec, Watchlist, WatchlistChanges, WatchlistState
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import (
    EVERY_MODE,
    MANAGER,
    OFFICER,
    Desk,
    actions,
    details,
    image,
    person,
    watchlist_draft,
)

DRAFT, APPROVED, ACTIVE, RETIRED = WatchlistState


@pytest.fixture
def desk(module_installation: Installation) -> Desk:
    """Return an installation with an empty draft of a name of its own."""
    name = f"list-{new_id()}"
    module_installation.watchlists.create(MANAGER, watchlist_draft(module_installation.clock.now(), name))
    return Desk(module_installation, name)


@pytest.fixture
def reached(desk: Desk, sample_people: tuple[bytes, ...]) -> Callable[[WatchlistState], Watchlist]:
    """Return a function that brings the list, with one subject, into a state."""

    def reach(state: WatchlistState) -> Watchlist:
        desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])])
        if state in {APPROVED, ACTIVE}:
            desk.watchlists.approve(OFFICER, desk.name)
        if state is ACTIVE:
            desk.watchlists.activate(MANAGER, desk.name)
        if state is RETIRED:
            desk.watchlists.retire(MANAGER, desk.name, "deployment over")
        return desk.found()

    return reach


def refuses(desk: Desk, reason: Reason, act: Callable[[], Any]) -> None:
    """Expect a refusal that changes and logs nothing."""
    before, logged = desk.found(), desk.at.audit.size()
    with pytest.raises(FrsError) as caught:
        act()
    assert caught.value.reason is reason
    assert (desk.found(), desk.at.audit.size()) == (before, logged)


def test_a_new_list_is_a_draft(desk: Desk) -> None:
    """Everything given is there, and the event holds the definition."""
    found = desk.found()
    assert (found.state, found.version, found.revision, found.subject_count) == (DRAFT, 1, 0, 0)
    assert [(t.mode, t.score, t.source) for t in found.thresholds] == [(mode, 0.95, "explicit") for mode in Mode]
    assert {(t.model, t.profile) for t in found.thresholds} == {(desk.at.engine.model.id, desk.at.engine.model.profile)}
    assert details(desk.at, "watchlist.created")["definition"]["purpose"] == found.purpose
    assert desk.at.galleries.revision(desk.name) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "Wanted"}, Reason.INVALID_FIELD),
        ({"id": "a" * 64}, Reason.INVALID_FIELD),
        ({"id": "../etc"}, Reason.INVALID_FIELD),
        ({"purpose": " x "}, Reason.INVALID_FIELD),
        ({"legal_basis": ""}, Reason.INVALID_FIELD),
        ({"authorising_officer": " "}, Reason.INVALID_FIELD),
        ({"category": "troublemakers"}, Reason.CATEGORY_NOT_ALLOWED),
        ({"thresholds": (*EVERY_MODE, EVERY_MODE[0])}, Reason.INVALID_FIELD),
        ({"thresholds": (ThresholdSpec(Mode.LIVE, 1.5),)}, Reason.INVALID_FIELD),
        ({"thresholds": (ThresholdSpec(Mode.LIVE, float("nan")),)}, Reason.INVALID_FIELD),
        ({"thresholds": (ThresholdSpec(Mode.LIVE, None, "other@1"),)}, Reason.INVALID_FIELD),
        ({"thresholds": (ThresholdSpec(Mode.LIVE, 0.5, profile="best"),)}, Reason.INVALID_FIELD),
    ],
)
def test_a_definition_outside_the_policy_is_refused(desk: Desk, changes: dict[str, Any], reason: Reason) -> None:
    """Names, texts, category and thresholds are checked before anything is stored."""
    draft = watchlist_draft(desk.at.clock.now(), **({"name": "other"} | _renamed(changes)))
    refuses(desk, reason, lambda: desk.watchlists.create(MANAGER, draft))


def _renamed(changes: dict[str, Any]) -> dict[str, Any]:
    return {"name" if key == "id" else key: value for key, value in changes.items()}


def test_an_expiry_in_the_past_is_refused(desk: Desk) -> None:
    """Authority that has ended cannot be given."""
    now = desk.at.clock.now()
    refuses(
        desk, Reason.INVALID_FIELD, lambda: desk.watchlists.create(MANAGER, watchlist_draft(now, "x", expires_at=now))
    )


def test_a_name_is_given_once(desk: Desk) -> None:
    """Even a retired list keeps its name, so that the log's references stay unambiguous."""
    draft = watchlist_draft(desk.at.clock.now(), desk.name)
    refuses(desk, Reason.WATCHLIST_EXISTS, lambda: desk.watchlists.create(MANAGER, draft))
    desk.watchlists.retire(MANAGER, desk.name, "not needed")
    refuses(desk, Reason.WATCHLIST_EXISTS, lambda: desk.watchlists.create(MANAGER, draft))


def test_the_straight_way(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Draft, approved, active, reviewed, retired: each step says who and when, and is logged."""
    desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])])
    approved = desk.watchlists.approve(OFFICER, desk.name, 2)
    assert (approved.state, approved.approved_by, approved.approved_at) == (APPROVED, "supt-a", desk.at.clock.now())
    active = desk.watchlists.activate(MANAGER, desk.name)
    assert (active.state, active.activated_at, active.version) == (ACTIVE, desk.at.clock.now(), 2)
    reviewed = desk.watchlists.review(OFFICER, desk.name, 2)
    assert (reviewed.reviewed_version, reviewed.reviewed_by) == (2, "supt-a")
    retired = desk.watchlists.retire(MANAGER, desk.name, "deployment over")
    assert (retired.state, retired.retired_at) == (RETIRED, desk.at.clock.now())
    assert actions(desk.at, watchlist=desk.name) == [
        "watchlist.created",
        "subject.enrolled",
        "watchlist.approved",
        "watchlist.activated",
        "watchlist.reviewed",
        "watchlist.retired",
    ]
    assert details(desk.at, "watchlist.retired")["reason"] == "deployment over"


def test_an_empty_list_is_not_approved(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Neither without subjects nor with subjects whose images are gone; nor is one activated that was emptied."""
    refuses(desk, Reason.WATCHLIST_EMPTY, lambda: desk.watchlists.approve(OFFICER, desk.name))
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    desk.watchlists.approve(OFFICER, desk.name)
    desk.watchlists.remove_image(MANAGER, made.images[0].id, "wrong picture")
    refuses(desk, Reason.WATCHLIST_EMPTY, lambda: desk.watchlists.activate(MANAGER, desk.name))


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ((ThresholdSpec(Mode.LIVE, 0.5, "other@1"),), "The live threshold"),
        (
            (ThresholdSpec(Mode.LIVE, 0.5), ThresholdSpec(Mode.OPERATOR, 0.5, profile="plain")),
            "The operator threshold",
        ),
    ],
)
def test_a_list_with_a_threshold_of_another_model_is_not_activated(
    desk: Desk, sample_people: tuple[bytes, ...], specs: tuple[ThresholdSpec, ...], told: str
) -> None:
    """A score that no search could use is named before the list stands as active."""
    lists = desk.watchlists
    assert desk.at.engine.model.profile == "mirror"
    lists.update(MANAGER, desk.name, WatchlistChanges(thresholds=specs))
    lists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])])
    lists.approve(OFFICER, desk.name)
    refuses(desk, Reason.THRESHOLD_OTHER_MODEL, lambda: lists.activate(OFFICER, desk.name))
    with pytest.raises(FrsError, match=told):
        lists.activate(OFFICER, desk.name)
    lists.update(MANAGER, desk.name, WatchlistChanges(thresholds=EVERY_MODE))
    lists.approve(OFFICER, desk.name)
    assert lists.activate(OFFICER, desk.name).state is ACTIVE


def test_a_list_without_any_threshold_is_not_activated(
    installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """Under a pack without defaults a list of no scores could not be searched; one mode with a score is enough."""
    installation.engine = copy(installation.engine)
    installation.engine.model = replace(installation.engine.model, thresholds=())
    installation.restart()
    lists, desk = installation.watchlists, Desk(installation, "bare")
    lists.create(MANAGER, watchlist_draft(installation.clock.now(), "bare", thresholds=()))
    lists.enrol(MANAGER, "bare", person(), [image(sample_people[0])])
    lists.approve(OFFICER, "bare")
    refuses(desk, Reason.THRESHOLD_MISSING, lambda: lists.activate(OFFICER, "bare"))
    lists.update(MANAGER, "bare", WatchlistChanges(thresholds=(ThresholdSpec(Mode.RETROSPECTIVE, 0.5),)))
    lists.approve(OFFICER, "bare")
    made = lists.activate(OFFICER, "bare")
    assert (made.state, [threshold.mode for threshold in made.thresholds]) == (ACTIVE, [Mode.RETROSPECTIVE])


def test_an_expired_list_is_neither_approved_nor_activated(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Expiry is by the clock at that instant."""
    desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(expires_at=desk.at.clock.now() + timedelta(hours=1)))
    desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])])
    desk.watchlists.approve(OFFICER, desk.name)
    desk.at.clock.advance(hours=1)
    refuses(desk, Reason.WATCHLIST_EXPIRED, lambda: desk.watchlists.activate(MANAGER, desk.name))


@pytest.mark.parametrize("state", WatchlistState)
def test_states_follow_in_order(desk: Desk, reached: Callable[[WatchlistState], Watchlist], state: Any) -> None:
    """Only a draft is approved, only an approved list activated, and a retired one never moves again."""
    reached(state)
    lists, name = desk.watchlists, desk.name
    steps: dict[WatchlistState, Callable[[], Any]] = {
        DRAFT: lambda: lists.approve(OFFICER, name),
        APPROVED: lambda: lists.activate(MANAGER, name),
    }
    for needed, step in steps.items():
        if needed is not state:
            refuses(desk, Reason.WATCHLIST_WRONG_STATE, step)
    if state is RETIRED:
        changes = WatchlistChanges(purpose="something else")
        refuses(desk, Reason.WATCHLIST_WRONG_STATE, lambda: lists.retire(MANAGER, name, "again"))
        refuses(desk, Reason.WATCHLIST_WRONG_STATE, lambda: lists.review(OFFICER, name))
        refuses(desk, Reason.WATCHLIST_WRONG_STATE, lambda: lists.update(MANAGER, name, changes))


@pytest.mark.parametrize("step", ["approve", "review", "update"])
def test_what_was_not_seen_is_not_decided_on(desk: Desk, sample_people: tuple[bytes, ...], step: str) -> None:
    """A decision that names an older version than the present one is refused."""
    desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])])
    acts = {
        "approve": lambda: desk.watchlists.approve(OFFICER, desk.name, 1),
        "review": lambda: desk.watchlists.review(OFFICER, desk.name, 1),
        "update": lambda: desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(purpose="other purpose"), 1),
    }
    refuses(desk, Reason.WATCHLIST_CHANGED, acts[step])


def test_a_draft_changes_freely(desk: Desk) -> None:
    """Every field changes; the event tells before and after of what differs, and nothing else."""
    later = desk.at.clock.now() + timedelta(days=60)
    changes = WatchlistChanges("find the missing", "missing", "Care Act 2014", "Supt B", later, Grading.RED, EVERY_MODE)
    made = desk.watchlists.update(MANAGER, desk.name, changes)
    assert (made.purpose, made.category, made.authorising_officer) == ("find the missing", "missing", "Supt B")
    assert (made.expires_at, made.grading, made.version) == (later, "red", 2)
    told = details(desk.at, "watchlist.updated")["changes"]
    assert told["purpose"] == {"before": "find people wanted on warrant", "after": "find the missing"}
    assert "thresholds" not in told


def test_a_change_to_what_is_so_already_is_none(desk: Desk) -> None:
    """Neither version nor log grow."""
    before, logged = desk.found(), desk.at.audit.size()
    same = WatchlistChanges(purpose=before.purpose, thresholds=EVERY_MODE)
    assert desk.watchlists.update(MANAGER, desk.name, same) == before
    assert desk.at.audit.size() == logged


def test_a_changed_definition_must_be_approved_anew(desk: Desk, reached: Callable[[WatchlistState], Watchlist]) -> None:
    """The approval was of something else."""
    reached(APPROVED)
    made = desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(purpose="another purpose"))
    assert (made.state, made.approved_by) == (DRAFT, None)


@pytest.mark.parametrize(
    "changes",
    [
        WatchlistChanges(purpose="another purpose"),
        WatchlistChanges(category="missing"),
        WatchlistChanges(legal_basis="another law"),
        WatchlistChanges(authorising_officer="Supt B"),
        WatchlistChanges(grading=Grading.RED),
        WatchlistChanges(thresholds=(ThresholdSpec(Mode.LIVE, 0.5),)),
    ],
)
def test_an_active_lists_definition_stands(
    desk: Desk, reached: Callable[[WatchlistState], Watchlist], changes: WatchlistChanges
) -> None:
    """What was approved and is being searched is not edited."""
    reached(ACTIVE)
    refuses(desk, Reason.WATCHLIST_WRONG_STATE, lambda: desk.watchlists.update(MANAGER, desk.name, changes))


def test_an_active_lists_expiry_only_comes_forward(desk: Desk, reached: Callable[[WatchlistState], Watchlist]) -> None:
    """Authority may end earlier than was approved, never later; the review stands, for it covered more."""
    before = reached(ACTIVE)
    desk.watchlists.review(OFFICER, desk.name)
    later, earlier = before.expires_at + timedelta(days=1), before.expires_at - timedelta(days=1)
    refuses(
        desk,
        Reason.WATCHLIST_WRONG_STATE,
        lambda: desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(expires_at=later)),
    )
    made = desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(expires_at=earlier))
    assert (made.state, made.expires_at, made.reviewed_version) == (ACTIVE, earlier, made.version)


def test_entries_of_an_active_list_count_at_once_and_outdate_its_review(
    desk: Desk, reached: Callable[[WatchlistState], Watchlist], sample_people: tuple[bytes, ...]
) -> None:
    """A new subject is searchable at once; the version that was reviewed is no longer the present one."""
    reached(ACTIVE)
    desk.watchlists.review(OFFICER, desk.name)
    desk.watchlists.enrol(OFFICER, desk.name, person("N-2"), [image(sample_people[2])])
    found = desk.found()
    assert (found.state, found.subject_count) == (ACTIVE, 2)
    assert found.reviewed_version is not None
    assert found.reviewed_version < found.version
    assert desk.at.galleries.revision(desk.name) == found.revision


def test_only_an_authorising_officer_adds_to_an_active_list(
    desk: Desk, reached: Callable[[WatchlistState], Watchlist], sample_people: tuple[bytes, ...]
) -> None:
    """What is searched for at once has been approved: by the act of one who may approve, which the log says."""
    reached(ACTIVE)
    (subject,) = desk.watchlists.list_subjects(desk.name).items
    before, new = desk.found(), image(sample_people[2])
    acts: list[Callable[[], object]] = [
        lambda: desk.watchlists.enrol(MANAGER, desk.name, person("N-2"), [new]),
        lambda: desk.watchlists.add_image(MANAGER, subject.id, new),
    ]
    for act in acts:
        with pytest.raises(FrsError, match="an authorising officer must add it") as caught:
            act()
        assert caught.value.reason is Reason.WATCHLIST_WRONG_STATE
    assert desk.found() == before
    desk.watchlists.add_image(OFFICER, subject.id, new)
    assert details(desk.at, "subject.image-added")["approves"] is True
    assert details(desk.at, "subject.enrolled")["approves"] is False, "it was enrolled in a draft"
    assert desk.found().image_count == 2


@pytest.mark.parametrize("state", WatchlistState)
def test_a_subject_is_withdrawn_in_every_state(
    desk: Desk, reached: Callable[[WatchlistState], Watchlist], state: WatchlistState
) -> None:
    """Withdrawing narrows the list: it keeps its state, its approval and its review."""
    before = reached(state)
    if state is not RETIRED:
        before = desk.watchlists.review(OFFICER, desk.name)
    (subject,) = desk.watchlists.list_subjects(desk.name).items
    gone = desk.watchlists.withdraw(MANAGER, subject.id, "warrant executed")
    found = desk.found()
    assert (gone.state, found.state, found.subject_count) == (SubjectState.WITHDRAWN, state, 0)
    assert (found.version, found.approved_by) == (before.version + 1, before.approved_by)
    assert found.reviewed_version == (None if state is RETIRED else found.version)


def test_an_outdated_review_is_not_revived_by_a_withdrawal(
    desk: Desk, reached: Callable[[WatchlistState], Watchlist], sample_people: tuple[bytes, ...]
) -> None:
    """A review of an older version stays where it was."""
    reached(ACTIVE)
    seen = desk.watchlists.review(OFFICER, desk.name).version
    added = desk.watchlists.enrol(OFFICER, desk.name, person("N-2"), [image(sample_people[2])]).subject
    desk.watchlists.withdraw(MANAGER, added.id, "entered in error")
    assert desk.found().reviewed_version == seen


def test_lists_are_paged_by_name_and_state(desk: Desk) -> None:
    """Pages join without gap or repetition; a token of another listing is refused."""
    for number in range(5):
        desk.watchlists.create(MANAGER, watchlist_draft(desk.at.clock.now(), f"page-{number}"))
    whole = desk.watchlists.list(1000).items
    seen: list[Watchlist] = []
    token = ""
    while True:
        page = desk.watchlists.list(2, token)
        seen += page.items
        token = page.next_token
        if not token:
            break
    assert seen == list(whole)
    assert [found.id for found in seen] == sorted(found.id for found in seen)
    assert desk.watchlists.list(1000, state=ACTIVE).items == tuple(f for f in whole if f.state is ACTIVE)
    with pytest.raises(FrsError) as caught:
        desk.watchlists.list(2, desk.watchlists.list(2).next_token, DRAFT)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_subjects_are_paged_by_nominal(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Pages of a list's subjects, of one state or all; an unknown list is said so."""
    for number in (3, 1, 2):
        desk.watchlists.enrol(MANAGER, desk.name, person(f"N-{number}"), [image(sample_people[number])])
    first = desk.watchlists.list_subjects(desk.name, 2)
    second = desk.watchlists.list_subjects(desk.name, 2, first.next_token)
    assert [s.nominal for s in (*first.items, *second.items)] == ["N-1", "N-2", "N-3"]
    assert second.next_token == ""
    desk.watchlists.withdraw(MANAGER, first.items[0].id, "found")
    assert [s.nominal for s in desk.watchlists.list_subjects(desk.name, state=SubjectState.WITHDRAWN).items] == ["N-1"]
    with pytest.raises(FrsError) as caught:
        desk.watchlists.list_subjects("nowhere")
    assert caught.value.reason is Reason.WATCHLIST_NOT_FOUND
