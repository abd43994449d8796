"""The set of known pairs: sealed, logged, of nobody on a list, and gone when it is removed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.embed.decoding import decode_picture
from frs.errors import FrsError, Reason
from frs.match.alerting import FRAME, PROBE, REFERENCE
from frs.review.vigilance_pair import PairDraft, pair_owner
from frs.review.vigilance_pairs import VigilancePairs
from frs.store.schema import vigilance_pair
from frs.types import Actor, Role
from frs.watchlist.model import ImageDraft, SubjectDraft, WatchlistDraft
from tests.installation import Installation

SUPERINTENDENT = Actor("sue", frozenset({Role.AUTHORISING_OFFICER}), "certificate:07")
SOURCE = "volunteers of the training school, consent of 2026"


@pytest.fixture(scope="module")
def pairs(module_installation: Installation) -> VigilancePairs:
    place = module_installation
    store = place.store
    return VigilancePairs(store.database, store.vault, place.audit, place.engine, place.settings, place.clock)


def draft(nominal: str, matching: bool = True) -> PairDraft:
    return PairDraft(matching, nominal, SOURCE)


def actions(place: Installation) -> list[str]:
    return [event.action for event in place.audit.list(EventFilter(action="vigilance"), 100, "").items]


def test_a_pair_is_sealed_scored_and_logged(
    pairs: VigilancePairs, module_installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """Its pictures lie sealed under a key of its own; the event holds checksums and no picture; it is listed."""
    place = module_installation
    added = pairs.add(SUPERINTENDENT, draft("T-1"), sample_people[0], sample_people[0])
    assert added.score == pytest.approx(1.0, abs=1e-3)
    assert added.scored_by(place.engine.model)
    assert (added.matching, added.nominal, added.shown, added.created_by) == (True, "T-1", 0, "sue")
    with place.store.database.read() as connection:
        row = connection.execute(sa.select(vigilance_pair).where(vigilance_pair.c.id == added.id)).one()
    for column, context in (("probe_sealed", PROBE), ("reference_sealed", REFERENCE), ("frame_sealed", FRAME)):
        opened = place.store.vault.open(pair_owner(added.id), getattr(row, column), context)
        assert decode_picture(opened, 1 << 24, 1 << 24).shape[2] == 3
    assert len(row.frame_faces[0]) == 4
    event = place.audit.list(EventFilter(action="vigilance.pair-added"), 1, "").items[0]
    payload = place.audit.get(event.seq, open_payload=True).payload
    assert payload is not None
    assert payload["details"]["source"] == SOURCE  # type: ignore[index,call-overload]
    place.clock.advance(seconds=1)
    other = pairs.add(SUPERINTENDENT, draft("T-2", matching=False), sample_people[0], sample_people[1])
    assert other.score < added.score
    first = pairs.list(SUPERINTENDENT, page_size=1)
    second = pairs.list(SUPERINTENDENT, 1, first.next_token)
    assert [item.id for item in (*first.items, *second.items)] == [other.id, added.id]
    assert actions(place).count("vigilance.listed") == 2


def test_what_cannot_be_a_pair_is_refused(
    pairs: VigilancePairs, module_installation: Installation, sample_people: tuple[bytes, ...], group_picture: bytes
) -> None:
    """The same two pictures again, several faces, no picture, a nominal that is on a list, a pseudonym."""
    before = actions(module_installation)
    pairs.add(SUPERINTENDENT, draft("T-5"), sample_people[2], sample_people[3])

    def refused(nominal: str, probe: bytes, reference: bytes) -> FrsError:
        with pytest.raises(FrsError) as caught:
            pairs.add(SUPERINTENDENT, draft(nominal), probe, reference)
        return caught.value

    assert refused("T-6", sample_people[2], sample_people[3]).reason is Reason.PAIR_EXISTS
    several = refused("T-6", sample_people[2], group_picture)
    assert (several.reason, several.metadata["image"]) == (Reason.SEVERAL_FACES, "reference")
    assert refused("T-6", b"no picture", sample_people[2]).metadata["image"] == "probe"
    assert refused("s:" + "0" * 64, sample_people[3], sample_people[2]).reason is Reason.INVALID_FIELD
    _enrol(module_installation, "NOM-77", sample_people[4])
    listed = refused("NOM-77", sample_people[3], sample_people[2])
    assert (listed.reason, "NOM-77" in listed.message) == (Reason.INVALID_FIELD, False)
    assert len(actions(module_installation)) == len(before) + 1


def test_a_removed_pair_is_gone(
    pairs: VigilancePairs, module_installation: Installation, sample_people: tuple[bytes, ...]
) -> None:
    """Its key is destroyed, its row remains for what was decided on it; it may be added again."""
    place = module_installation
    added = pairs.add(SUPERINTENDENT, draft("T-9"), sample_people[4], sample_people[5])
    heard: list[str] = []
    pairs.heed_removals(lambda _, pair: heard.append(pair))
    pairs.remove(SUPERINTENDENT, added.id, "consent was withdrawn")
    assert heard == [added.id]
    assert place.store.vault.destroyed(pair_owner(added.id))
    assert added.id not in [item.id for item in pairs.list(SUPERINTENDENT).items]
    with pytest.raises(FrsError) as again:
        pairs.remove(SUPERINTENDENT, added.id, "consent was withdrawn")
    assert again.value.reason is Reason.PAIR_NOT_FOUND
    assert pairs.add(SUPERINTENDENT, draft("T-9"), sample_people[4], sample_people[5]).id != added.id


def _enrol(place: Installation, nominal: str, picture: bytes) -> None:
    definition = WatchlistDraft(
        id="vigilance-test",
        purpose="People wanted for the test",
        category="wanted",
        legal_basis="Police and Criminal Evidence Act 1984",
        authorising_officer="Superintendent Sue",
        expires_at=place.clock.now() + timedelta(days=30),
    )
    manager = Actor("max", frozenset({Role.WATCHLIST_MANAGER}), "certificate:0a")
    place.watchlists.create(manager, definition)
    image = ImageDraft(picture, "custody", "2025-06-01")
    place.watchlists.enrol(manager, "vigilance-test", SubjectDraft(nominal, "Warrant", lawfully_held=True), [image])
