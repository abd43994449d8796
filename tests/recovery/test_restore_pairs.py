"""A known pair that was removed after a backup does not come back with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from frs.errors import FrsError
from frs.review.vigilance_pair import PairDraft, pair_owner
from frs.review.vigilance_pairs import VigilancePairs
from frs.store.schema import vigilance_pair
from frs.types import Actor, Role
from tests.installation import Installation
from tests.recovery.recovering import back_up, restore, witness_word

SUPERINTENDENT = Actor("sue", frozenset({Role.AUTHORISING_OFFICER}), "certificate:07")


def pairs_of(made: Installation) -> VigilancePairs:
    store = made.store
    return VigilancePairs(store.database, store.vault, made.audit, made.engine, made.settings, made.clock)


def test_removed_pair_does_not_come_back(
    installation: Installation, tmp_path: Path, sample_people: tuple[bytes, ...]
) -> None:
    """Its row is that of a removed pair, its pictures are gone; the other pair of the backup is there and opens."""
    made, pairs = installation, pairs_of(installation)
    drafts = [PairDraft(False, f"T-{number}", "the training school") for number in range(2)]
    gone, kept = (
        pairs.add(SUPERINTENDENT, draft, sample_people[number], sample_people[number + 1]).id
        for number, draft in enumerate(drafts)
    )
    back_up(made.store, made.audit, made.settings, made.clock, tmp_path / "b.frs")
    pairs.remove(SUPERINTENDENT, gone, "consent was withdrawn")
    word = witness_word(made.store.database, made.store.keyring, made.audit, tmp_path / "witness")
    made.close()
    restore(made.settings, tmp_path / "b.frs", word, made.clock)
    made.open()

    restored = pairs_of(made)
    assert [pair.id for pair in restored.list(SUPERINTENDENT).items] == [kept]
    with made.store.database.read() as connection:
        row = connection.execute(sa.select(vigilance_pair).where(vigilance_pair.c.id == gone)).one()
    assert (row.probe_sealed, row.reference_sealed, row.frame_sealed, row.frame_faces) == (None, None, None, None)
    assert row.removed_at is not None
    with pytest.raises(FrsError):
        made.store.vault.seal(pair_owner(gone), b"anything")
    again = restored.add(SUPERINTENDENT, drafts[0], sample_people[0], sample_people[1])
    assert again.id not in {gone, kept}
