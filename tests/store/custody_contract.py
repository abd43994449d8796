"""What every custody of key-encryption keys must do: run these tests over your adapter to a key management service.

A subclass named ``Test...`` gives ``custody``, a fresh custody without a key each time, and ``again``, which connects
anew to the same keys as another process would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.store.key_custody import KeyCustody

KEY = bytes(range(32))
REFUSED = {Reason.KEY_WRONG, Reason.KEY_MISSING}


class CustodyContract(ABC):
    """The promises of :class:`frs.store.key_custody.KeyCustody`, a test each."""

    @pytest.fixture
    @abstractmethod
    def custody(self, tmp_path: Path) -> KeyCustody:
        """Return a custody that holds no key."""

    @abstractmethod
    def again(self, custody: KeyCustody) -> KeyCustody:
        """Connect to the same keys a second time."""

    def test_nothing_is_there_at_first(self, custody: KeyCustody) -> None:
        """A fresh custody has no prepared key, and none under any name."""
        assert custody.prepared() is None
        with pytest.raises(FrsError) as caught:
            custody.get("0123456789abcdef")
        assert caught.value.reason in REFUSED

    def test_made_key_is_found_by_its_name(self, custody: KeyCustody) -> None:
        """What one process wrapped, another opens, after it found the key by its name."""
        made = custody.create()
        wrapped = made.wrap(KEY, b"context")
        found = self.again(custody).get(made.id)
        assert found.id == made.id
        assert found.unwrap(wrapped, b"context") == KEY
        assert KEY not in wrapped

    def test_wrapped_key_is_bound_to_its_context(self, custody: KeyCustody) -> None:
        """A wrapped key that was altered, or moved to another owner, does not open."""
        made = custody.create()
        wrapped = made.wrap(KEY, b"owner\x00a")
        for altered, context in (
            (wrapped, b"owner\x00b"),
            (wrapped, b""),
            (wrapped[:-1], b"owner\x00a"),
            (b"", b"owner\x00a"),
            (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"owner\x00a"),
        ):
            with pytest.raises(FrsError) as caught:
                made.unwrap(altered, context)
            assert caught.value.reason is Reason.KEY_WRONG

    def test_wrapping_twice_differs(self, custody: KeyCustody) -> None:
        """Equal keys are not seen to be equal."""
        made = custody.create()
        assert made.wrap(KEY, b"") != made.wrap(KEY, b"")

    def test_two_keys_stand_side_by_side(self, custody: KeyCustody) -> None:
        """While a rotation runs both keys are found; neither opens what the other wrapped."""
        old = custody.create()
        new = custody.create()
        assert old.id != new.id
        other = self.again(custody)
        assert {other.get(old.id).id, other.get(new.id).id} == {old.id, new.id}
        with pytest.raises(FrsError):
            new.unwrap(old.wrap(KEY, b""), b"")

    @pytest.mark.parametrize("wanted", [0, 1])
    def test_all_others_are_destroyed(self, custody: KeyCustody, wanted: int) -> None:
        """``keep_only`` leaves the key named, be it the older or the newer one; again is harmless."""
        keys = [custody.create(), custody.create()]
        kept, gone = keys[wanted], keys[1 - wanted]
        wrapped = kept.wrap(KEY, b"")
        for _ in range(2):
            custody.keep_only(kept.id)
        for each in (custody, self.again(custody)):
            assert each.get(kept.id).unwrap(wrapped, b"") == KEY
            with pytest.raises(FrsError) as caught:
                each.get(gone.id)
            assert caught.value.reason in REFUSED

    def test_unfinished_rotation_is_begun_anew(self, custody: KeyCustody) -> None:
        """A key that was made and never used does not stand in the way of the next one."""
        first = custody.create()
        custody.create()
        third = self.again(custody).create()
        custody.keep_only(third.id)
        assert self.again(custody).get(third.id).id == third.id
        with pytest.raises(FrsError):
            custody.get(first.id)
