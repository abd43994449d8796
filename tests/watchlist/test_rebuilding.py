"""The index follows the database through restarts, other models and lost keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import reference_image
from frs.types import Mode
from frs.watchlist.model import Enrolment
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import MANAGER, OFFICER, Desk, active, details, image, person, watchlist_draft


@pytest.fixture
def desk(installation: Installation, sample_people: tuple[bytes, ...]) -> Desk:
    """Return an installation with an active list of two, a draft of one and a retired list."""
    active(installation, *sample_people[:2])
    active(installation, sample_people[3], name="over")
    installation.watchlists.retire(MANAGER, "over", "deployment over")
    installation.watchlists.create(MANAGER, watchlist_draft(installation.clock.now(), "draft"))
    installation.watchlists.enrol(MANAGER, "draft", person(), [image(sample_people[4])])
    return Desk(installation, "wanted")


def alter(desk: Desk, reference: str, **values: object) -> None:
    chosen = reference_image.update().where(reference_image.c.id == reference).values(**values)
    desk.at.store.database.write(lambda tx: tx.connection.execute(chosen))


def test_a_restart_rebuilds_what_was_there(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """The same searches give the same hits to the last bit, and the report tells how many and how long."""
    faces = [desk.at.engine.analyse(data).faces[0] for data in sample_people]
    queries = desk.at.engine.embed(faces)
    desk.watchlists.withdraw(MANAGER, desk.watchlists.list_subjects("wanted").items[1].id, "found")
    before = desk.at.galleries.search(queries, ["wanted", "draft"], 4)
    searchable = desk.watchlists.searchable(["wanted"], Mode.LIVE)
    desk.at.restart()
    assert desk.at.galleries.search(queries, ["wanted", "draft"], 4) == before
    assert desk.watchlists.searchable(["wanted"], Mode.LIVE) == searchable
    report = desk.at.rebuilt
    assert (report.templates, report.watchlists, report.other_model, report.unreadable) == (2, 2, 0, 0)
    assert 0 < report.seconds < 60
    assert desk.at.galleries.watchlists() == ("draft", "wanted")


def test_progress_ends_with_all_templates(desk: Desk) -> None:
    """Whoever watches a long start is told (loaded, all), retired lists not counted."""
    told: list[tuple[int, int]] = []
    desk.at.watchlists.rebuild(lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]


def test_templates_of_another_model_are_left_out_and_said(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A list with one of them is not searched until it is gone; other lists are."""
    foreign = desk.watchlists.list_subjects("wanted").items[0]
    alter(desk, foreign.images[0].id, model="other@000000000000")
    desk.at.restart()
    assert (desk.at.rebuilt.templates, desk.at.rebuilt.other_model) == (2, 1)
    with pytest.raises(FrsError, match="another model") as caught:
        desk.watchlists.searchable(["wanted"], Mode.LIVE)
    assert caught.value.reason is Reason.TEMPLATES_OTHER_MODEL
    desk.watchlists.remove_image(MANAGER, foreign.images[0].id, "enrolled anew with the model in use")
    assert len(desk.watchlists.searchable(["wanted"], Mode.LIVE)) == 1


@pytest.mark.parametrize("other", [{"model": "other@000000000000"}, {"profile": "plain"}])
def test_a_list_of_another_model_takes_no_entries(
    desk: Desk, sample_people: tuple[bytes, ...], other: dict[str, str]
) -> None:
    """Enrolling would make a list that is searched under neither model: refused, logged, and nothing is kept."""
    first, second = desk.watchlists.list_subjects("wanted").items
    for subject in (first, second):
        alter(desk, subject.images[0].id, **other)
    desk.at.restart()
    before = desk.found()
    acts: tuple[Callable[[], Enrolment], ...] = (
        lambda: desk.watchlists.enrol(OFFICER, "wanted", person("N-9"), [image(sample_people[5])]),
        lambda: desk.watchlists.add_image(OFFICER, first.id, image(sample_people[0] + b" ")),
    )
    for act in acts:
        with pytest.raises(FrsError, match="another model") as caught:
            act()
        assert caught.value.reason is Reason.TEMPLATES_OTHER_MODEL
        assert desk.found() == before
        assert details(desk.at, "enrolment.refused")["reason"] == "TEMPLATES_OTHER_MODEL"
    desk.watchlists.enrol(MANAGER, "draft", person("N-9"), [image(sample_people[5])])
    for subject in (first, second):  # without enrolled images the list takes entries again
        desk.watchlists.remove_image(MANAGER, subject.images[0].id, "enrolled anew with the model in use")
    desk.watchlists.add_image(OFFICER, first.id, image(sample_people[0] + b" "))
    assert len(desk.watchlists.searchable(["wanted"], Mode.LIVE)) == 1


def test_a_withdrawn_subject_of_another_model_no_longer_stands_in_the_way(desk: Desk) -> None:
    """The list is searched again when its last foreign template is gone."""
    foreign = desk.watchlists.list_subjects("wanted").items[0]
    alter(desk, foreign.images[0].id, profile="plain")
    desk.at.restart()
    desk.watchlists.withdraw(MANAGER, foreign.id, "enrolled anew")
    assert len(desk.watchlists.searchable(["wanted"], Mode.LIVE)) == 1


def test_what_was_erased_stays_unreadable(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Rows that an old copy of the database brings back have no key: they are left out, counted, and harm nobody."""
    erased = desk.watchlists.list_subjects("wanted").items[0]
    desk.at.store.vault.destroy(f"subject:{erased.id}")
    desk.at.restart()
    assert (desk.at.rebuilt.templates, desk.at.rebuilt.unreadable) == (2, 1)
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[0]).faces[:1])
    (hits,) = desk.at.galleries.search(probe, ["wanted"], 9)
    assert erased.id not in {hit.subject for hit in hits}
    assert len(desk.watchlists.searchable(["wanted"], Mode.LIVE)) == 1


def test_an_altered_template_is_not_loaded(desk: Desk) -> None:
    """Sealed bytes that were changed in the database stop the start instead of matching somebody."""
    reference = desk.watchlists.list_subjects("wanted").items[0].images[0].id
    with desk.at.store.database.read() as connection:
        sealed = bytearray(
            connection.scalars(
                sa.select(reference_image.c.template_sealed).where(reference_image.c.id == reference)
            ).one()
        )
    sealed[40] ^= 1
    alter(desk, reference, template_sealed=bytes(sealed))
    with pytest.raises(FrsError) as caught:
        desk.at.watchlists.rebuild()
    assert caught.value.reason is Reason.KEY_WRONG


def test_templates_of_two_subjects_cannot_be_swapped(desk: Desk) -> None:
    """A sealed template opens for its own subject alone."""
    one, two = (subject.images[0].id for subject in desk.watchlists.list_subjects("wanted").items[:2])
    table = reference_image.c
    with desk.at.store.database.read() as connection:
        rows = connection.execute(sa.select(table.id, table.template_sealed).where(table.id.in_([one, two]))).all()
    sealed = {row.id: row.template_sealed for row in rows}
    alter(desk, one, template_sealed=sealed[two])
    with pytest.raises(FrsError) as caught:
        desk.at.watchlists.rebuild()
    assert caught.value.reason is Reason.KEY_WRONG


def test_stored_templates_are_those_that_were_searched(desk: Desk) -> None:
    """What the rebuilt gallery holds is bit for bit what the engine gave."""
    rows = held_rows(desk)
    assert len(rows) == 3
    desk.at.restart()
    assert held_rows(desk) == rows


def held_rows(desk: Desk) -> list[bytes]:
    dimension = desk.at.engine.model.dimension
    held = [np.frombuffer(memory, np.float32).reshape(-1, dimension) for memory in desk.at.galleries.buffers()]
    return sorted(row.tobytes() for part in held for row in part if row.any())
