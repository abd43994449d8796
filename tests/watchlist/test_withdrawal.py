"""Withdrawal: at once, everywhere, and without a trace of the biometrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import reference_image
from frs.types import Mode, new_id
from frs.watchlist.model import SubjectState
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import MANAGER, OFFICER, Desk, actions, active, details, image, person


@pytest.fixture
def desk(module_installation: Installation, sample_people: tuple[bytes, ...]) -> Desk:
    """Return an active list with three subjects."""
    name = f"list-{new_id()}"
    active(module_installation, *sample_people[:3], name=name)
    return Desk(module_installation, name)


def probe(desk: Desk, data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return desk.at.engine.embed(desk.at.engine.analyse(data).faces[:1])


def sealed(desk: Desk, subject: str) -> list[bytes]:
    columns = (reference_image.c.template_sealed, reference_image.c.crop_sealed)
    with desk.at.store.database.read() as connection:
        rows = connection.execute(sa.select(*columns).where(reference_image.c.subject_id == subject)).all()
    return [part for row in rows for part in row]


def everything(desk: Desk) -> bytes:
    """Return every byte of every file of the data directory."""
    files = sorted(path for path in Path(desk.at.settings.data_dir).rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in files)


def test_a_withdrawn_subject_is_not_found_again(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """When the caller is answered, searches no longer know the person, and the others are as before."""
    first = desk.watchlists.list_subjects(desk.name).items[0]
    queries = np.concatenate([probe(desk, data) for data in sample_people[:3]])
    before = desk.at.galleries.search(queries, [desk.name], 3)
    assert before[0][0].subject == first.id
    desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    after = desk.at.galleries.search(queries, [desk.name], 3)
    assert after == [[hit for hit in hits if hit.subject != first.id] for hits in before]
    assert desk.watchlists.searchable([desk.name], Mode.LIVE)[0].version == desk.found().version
    assert desk.watchlists.describe(before[0]).keys() == {hit.reference for hit in before[0][1:]}


def test_the_biometrics_are_gone_and_the_record_stays(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """No sealed byte is left in any file, the key is destroyed, no template in memory; nominal and dates remain."""
    first = desk.watchlists.list_subjects(desk.name).items[0]
    planted, template = sealed(desk, first.id), probe(desk, sample_people[0])[0].tobytes()
    assert len(planted) == 2
    assert all(part[:200] in everything(desk) for part in planted)
    assert any(template in bytes(memory) for memory in desk.at.galleries.buffers())
    gone = desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    held = everything(desk)
    assert not any(part[:200] in held or part[-200:] in held for part in planted)
    assert not any(template in bytes(memory) for memory in desk.at.galleries.buffers())
    assert desk.at.store.vault.destroyed(f"subject:{first.id}")
    assert (gone.state, gone.nominal, gone.images) == (SubjectState.WITHDRAWN, first.nominal, ())
    assert (gone.created_at, gone.withdrawn_by, gone.withdrawn_reason) == (
        first.created_at,
        "mary",
        "warrant executed",
    )
    assert details(desk.at, "subject.withdrawn")["images"] == [first.images[0].id]
    assert "subject.withdrawn" in actions(desk.at, watchlist=desk.name, subject=first.nominal)


def test_a_withdrawn_subject_cannot_be_changed(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Neither withdrawn again nor given images."""
    first = desk.watchlists.list_subjects(desk.name).items[0]
    desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    with pytest.raises(FrsError) as caught:
        desk.watchlists.withdraw(MANAGER, first.id, "again")
    assert caught.value.reason is Reason.SUBJECT_WITHDRAWN
    with pytest.raises(FrsError) as caught:
        desk.watchlists.add_image(OFFICER, first.id, image(sample_people[4]))
    assert caught.value.reason is Reason.SUBJECT_WITHDRAWN


def test_an_image_is_removed_alone(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Its template and bytes go; the subject is still found by the other image."""
    first = desk.watchlists.list_subjects(desk.name).items[0]
    second = desk.watchlists.add_image(OFFICER, first.id, image(sample_people[3])).subject.images[1]
    planted = sealed(desk, first.id)[2:]
    left = desk.watchlists.remove_image(MANAGER, second.id, "wrong person")
    assert [i.id for i in left.images] == [first.images[0].id]
    held = everything(desk)
    assert not any(part[:200] in held for part in planted)
    (hits,) = desk.at.galleries.search(probe(desk, sample_people[3]), [desk.name], 9)
    assert second.id not in {hit.reference for hit in hits}
    assert desk.at.galleries.revision(desk.name) == desk.found().revision
    with desk.at.store.database.read() as connection:
        assert desk.watchlists.reference_crop(connection, first.images[0].id).startswith(b"\xff\xd8")
        with pytest.raises(FrsError) as caught:
            desk.watchlists.reference_crop(connection, second.id)
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND


@pytest.mark.parametrize("reason", ["", "  ", "no"])
def test_a_withdrawal_has_a_reason(desk: Desk, reason: str) -> None:
    """Without a reason nothing leaves a list."""
    first = desk.watchlists.list_subjects(desk.name).items[0]
    for act in (
        lambda: desk.watchlists.withdraw(MANAGER, first.id, reason),
        lambda: desk.watchlists.remove_image(MANAGER, first.images[0].id, reason),
        lambda: desk.watchlists.retire(MANAGER, desk.name, reason),
    ):
        with pytest.raises(FrsError, match="reason") as caught:
            act()
        assert caught.value.reason is Reason.INVALID_FIELD
    assert desk.found().subject_count == 3


def test_unknown_subjects_and_images_are_said_so(desk: Desk) -> None:
    """Ids that do not exist have errors of their own."""
    with pytest.raises(FrsError) as caught:
        desk.watchlists.withdraw(MANAGER, "nobody", "warrant executed")
    assert caught.value.reason is Reason.SUBJECT_NOT_FOUND
    with pytest.raises(FrsError) as caught:
        desk.watchlists.remove_image(MANAGER, "nothing", "wrong person")
    assert caught.value.reason is Reason.IMAGE_NOT_FOUND


def test_a_retired_list_leaves_the_index(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Its templates leave memory; sealed, they stay until retention, and a subject can still be withdrawn."""
    (memory,) = [m for m in desk.at.galleries.buffers() if probe(desk, sample_people[0])[0].tobytes() in bytes(m)][-1:]
    desk.watchlists.retire(MANAGER, desk.name, "deployment over")
    assert not any(bytes(memory))
    assert desk.name not in desk.at.galleries.watchlists()
    first = desk.watchlists.list_subjects(desk.name).items[0]
    assert len(sealed(desk, first.id)) == 2
    desk.watchlists.withdraw(MANAGER, first.id, "asked for erasure")
    assert sealed(desk, first.id) == []
    assert desk.at.galleries.stale() == ()


def test_the_same_nominal_on_another_list_stays(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A withdrawal concerns one list's entry."""
    other = f"other-{new_id()}"
    active(desk.at, sample_people[0], name=other)
    first = desk.watchlists.list_subjects(desk.name).items[0]
    desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    (hits,) = desk.at.galleries.search(probe(desk, sample_people[0]), [desk.name, other], 5)
    assert hits[0].watchlist == other
    assert desk.watchlists.describe(hits)[hits[0].reference].nominal == person("N-1").nominal
