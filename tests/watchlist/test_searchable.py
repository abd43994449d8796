"""What may be searched now: state, expiry, thresholds and index, asked without reading the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import watchlist_threshold
from frs.types import Hit, Mode, ModelInfo, Threshold, ThresholdDefault, new_id
from frs.watchlist import thresholds
from frs.watchlist.model import ThresholdSpec, WatchlistChanges
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import MANAGER, OFFICER, Desk, active, image, person, watchlist_draft

MODEL = ModelInfo("pack", "0123456789ab", 128, "mirror", "CPUExecutionProvider")
CALIBRATED = replace(MODEL, thresholds=(ThresholdDefault(Mode.LIVE, 0.7, "measured"),))


@pytest.fixture
def desk(module_installation: Installation, sample_people: tuple[bytes, ...]) -> Desk:
    """Return an active list with two subjects."""
    name = f"list-{new_id()}"
    active(module_installation, *sample_people[:2], name=name)
    return Desk(module_installation, name)


def refuses(desk: Desk, reason: Reason, *names: str, mode: Mode = Mode.LIVE) -> None:
    with pytest.raises(FrsError) as caught:
        desk.watchlists.searchable(names, mode)
    assert caught.value.reason is reason


def alter(desk: Desk, change: sa.Update) -> None:
    desk.at.store.database.write(lambda tx: tx.connection.execute(change))


def test_an_active_list_is_searchable_in_each_mode(desk: Desk) -> None:
    """The answer carries version, expiry, and the threshold with what it was set for."""
    found = desk.found()
    for mode in Mode:
        (entry,) = desk.watchlists.searchable([desk.name, desk.name], mode)
        assert (entry.id, entry.version, entry.expires_at) == (desk.name, found.version, found.expires_at)
        model = desk.at.engine.model
        assert entry.threshold == Threshold(mode, 0.95, model.id, model.profile, "explicit")


def test_only_active_lists_are_searched(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Unknown, draft, approved and retired lists are refused, also among good ones."""
    refuses(desk, Reason.WATCHLIST_NOT_FOUND, desk.name, "nowhere")
    other = f"other-{new_id()}"
    desk.watchlists.create(MANAGER, watchlist_draft(desk.at.clock.now(), other))
    refuses(desk, Reason.WATCHLIST_NOT_ACTIVE, other)
    desk.watchlists.enrol(MANAGER, other, person(), [image(sample_people[0])])
    desk.watchlists.approve(OFFICER, other)
    refuses(desk, Reason.WATCHLIST_NOT_ACTIVE, desk.name, other)
    assert [e.id for e in desk.watchlists.matchable([desk.name, other], Mode.LIVE)] == [desk.name]
    desk.watchlists.retire(MANAGER, desk.name, "deployment over")
    refuses(desk, Reason.WATCHLIST_NOT_ACTIVE, desk.name)
    assert desk.watchlists.matchable([desk.name, other], Mode.LIVE) == ()


def test_a_list_stops_matching_at_its_instant(desk: Desk) -> None:
    """A microsecond before expiry it is searched; at it, searches are refused and running deployments go without."""
    end = desk.at.clock.now() + timedelta(hours=1)
    desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(expires_at=end))
    desk.at.clock.at = end - timedelta(microseconds=1)
    assert len(desk.watchlists.searchable([desk.name], Mode.LIVE)) == 1
    assert len(desk.watchlists.matchable([desk.name], Mode.LIVE)) == 1
    desk.at.clock.at = end
    refuses(desk, Reason.WATCHLIST_EXPIRED, desk.name)
    assert desk.watchlists.matchable([desk.name], Mode.LIVE) == ()


def test_the_question_costs_no_read_of_the_database(desk: Desk) -> None:
    """Neither a read nor a write happens, however often it is asked."""
    statements: list[str] = []

    def seen(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    sa.event.listen(sa.Engine, "before_cursor_execute", seen)
    try:
        for _ in range(100):
            desk.watchlists.searchable([desk.name], Mode.LIVE)
            desk.watchlists.matchable([desk.name], Mode.OPERATOR)
        assert statements == []
        desk.found()
        assert statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", seen)


def test_a_stale_index_is_loaded_again_before_it_is_searched(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """An index that missed a change does not answer from what it has."""
    subjects = desk.watchlists.list_subjects(desk.name).items
    desk.at.galleries.mark_stale(desk.name)
    desk.watchlists.searchable([desk.name], Mode.LIVE)
    assert desk.at.galleries.revision(desk.name) == desk.found().revision
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[0]).faces[:1])
    (hits,) = desk.at.galleries.search(probe, [desk.name], 5)
    assert {hit.subject for hit in hits} == {subject.id for subject in subjects}


def test_an_index_that_fails_to_follow_is_loaded_before_the_caller_is_answered(
    desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """A change on a gallery that fell behind brings it up to date, the change included."""
    desk.at.galleries.add(desk.name, 99, [])  # a revision that never was: the gallery is stale from here on
    assert desk.at.galleries.stale() == (desk.name,)
    first = desk.watchlists.list_subjects(desk.name).items[0]
    desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    assert desk.at.galleries.stale() == ()
    assert desk.at.galleries.revision(desk.name) == desk.found().revision
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[0]).faces[:1])
    assert first.id not in {hit.subject for hit in desk.at.galleries.search(probe, [desk.name], 5)[0]}


def test_hits_are_described_with_a_loader_for_the_crop(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Nominal, grading and quality in one query; the picture is opened only when it is asked for."""
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[1]).faces[:1])
    (hits,) = desk.at.galleries.search(probe, [desk.name], 5)
    described = desk.watchlists.describe([*hits, *hits, Hit(desk.name, "gone", "gone", 0.9)])
    assert set(described) == {hit.reference for hit in hits}
    best = described[hits[0].reference]
    subject = desk.watchlists.get_subject(hits[0].subject)
    assert (best.nominal, best.grading) == (subject.nominal, "amber")
    assert best.reference_quality == subject.images[0].quality
    assert best.reference_crop_loader().startswith(b"\xff\xd8")
    desk.watchlists.withdraw(MANAGER, subject.id, "warrant executed")
    with pytest.raises(FrsError) as caught:
        best.reference_crop_loader()
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND
    assert desk.watchlists.describe([]) == {}


def test_a_mode_without_a_threshold_is_not_searched(desk: Desk) -> None:
    """A list that has none for the mode says so."""
    table = watchlist_threshold
    chosen = (table.c.watchlist_id == desk.name) & (table.c.mode == "operator")
    desk.at.store.database.write(lambda tx: tx.connection.execute(table.delete().where(chosen)))
    desk.at.watchlists.rebuild()
    assert len(desk.watchlists.searchable([desk.name], Mode.LIVE)) == 1
    refuses(desk, Reason.THRESHOLD_MISSING, desk.name, mode=Mode.OPERATOR)


def test_a_threshold_of_another_model_is_not_used(
    module_installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """A score says nothing under a model or profile that it was not set for: the service came back with another."""
    name = f"list-{new_id()}"
    active(module_installation, sample_people[0], name=name)
    desk = Desk(module_installation, name)
    other = "plain" if desk.at.engine.model.profile == "mirror" else "mirror"
    table = watchlist_threshold
    for mode, values in ((Mode.LIVE, {"model": "other@1"}), (Mode.OPERATOR, {"profile": other})):
        alter(desk, table.update().where(table.c.watchlist_id == name, table.c.mode == str(mode)).values(values))
    desk.at.watchlists.rebuild()
    refuses(desk, Reason.THRESHOLD_OTHER_MODEL, name)
    refuses(desk, Reason.THRESHOLD_OTHER_MODEL, name, mode=Mode.OPERATOR)
    with pytest.raises(FrsError) as caught:
        desk.watchlists.matchable([name], Mode.LIVE)
    assert caught.value.reason is Reason.THRESHOLD_OTHER_MODEL


def test_an_explicit_score_is_tied_to_the_model_in_use() -> None:
    """What the request leaves open is filled in, and recorded as explicit."""
    found = thresholds.resolve([ThresholdSpec(Mode.OPERATOR, 0.6)], MODEL)
    assert found == (Threshold(Mode.OPERATOR, 0.6, MODEL.id, "mirror", "explicit"),)


def test_a_default_is_the_packs_own() -> None:
    """Asked for or not mentioned, a mode takes the pack's threshold where it has one."""
    wanted = (Threshold(Mode.LIVE, 0.7, MODEL.id, "mirror", "pack-default"),)
    assert thresholds.resolve([ThresholdSpec(Mode.LIVE)], CALIBRATED) == wanted
    assert thresholds.resolve([], CALIBRATED) == wanted
    assert thresholds.resolve([], MODEL) == ()


def test_a_default_that_the_pack_does_not_have_is_refused() -> None:
    """A pack without calibration for the mode needs an explicit score."""
    with pytest.raises(FrsError, match="no default threshold for mode operator") as caught:
        thresholds.resolve([ThresholdSpec(Mode.OPERATOR)], CALIBRATED)
    assert caught.value.reason is Reason.THRESHOLD_MISSING


def test_activation_takes_defaults_anew_and_leaves_explicit_scores() -> None:
    """A default follows the pack until the list is active; an explicit score never moves by itself."""
    old = replace(CALIBRATED, version="ffffffffffff", thresholds=(ThresholdDefault(Mode.LIVE, 0.9, "older"),))
    stored = thresholds.resolve([ThresholdSpec(Mode.OPERATOR, 0.6)], old)
    assert [(t.mode, t.score, t.model) for t in thresholds.refreshed(stored, CALIBRATED)] == [
        (Mode.LIVE, 0.7, CALIBRATED.id),
        (Mode.OPERATOR, 0.6, old.id),
    ]
    assert thresholds.refreshed(stored, MODEL) == stored
