"""The vault: sealing, opening, and pseudonyms."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.store.opening import Store
from frs.store.vault import OVERHEAD


def test_sealed_data_opens_for_its_owner_and_context(store: Store) -> None:
    """What was sealed comes back; the sealed form holds nothing of it and is never the same twice."""
    data = b"the template of a person" * 20
    sealed = store.vault.seal("subject:1", data, b"template")

    assert store.vault.open("subject:1", sealed, b"template") == data
    assert b"template of" not in sealed
    assert len(sealed) == len(data) + OVERHEAD
    assert store.vault.seal("subject:1", data, b"template") != sealed


def test_empty_data_can_be_sealed(store: Store) -> None:
    """Nothing is something too."""
    assert store.vault.open("alert:1", store.vault.seal("alert:1", b"")) == b""


@pytest.mark.parametrize(("owner", "context"), [("subject:2", b"crop"), ("subject:1", b"template"), ("subject:1", b"")])
def test_sealed_data_moved_elsewhere_does_not_open(store: Store, owner: str, context: bytes) -> None:
    """Sealed bytes put under another owner or another purpose are refused."""
    store.vault.seal("subject:2", b"so that the other owner has a key")
    sealed = store.vault.seal("subject:1", b"data", b"crop")

    with pytest.raises(FrsError) as caught:
        store.vault.open(owner, sealed, context)
    assert caught.value.reason is Reason.KEY_WRONG


def test_owner_and_context_cannot_run_into_each_other(store: Store) -> None:
    """The owner's name and the context are told apart, however they are split."""
    key = store.keyring.key_or_new("job:1")
    assert len(key) == 32
    sealed = store.vault.seal("job:1", b"data", b"23")
    with pytest.raises(FrsError):
        store.vault.open("job:1", sealed, b"2")


def test_every_altered_byte_is_noticed(store: Store) -> None:
    """No byte of sealed data can be changed, and none cut off."""
    sealed = store.vault.seal("subject:1", b"data")
    altered = [sealed[:i] + bytes([sealed[i] ^ 0x80]) + sealed[i + 1 :] for i in range(len(sealed))]

    for bad in [*altered, *(sealed[:n] for n in range(len(sealed))), sealed + b"\x00"]:
        with pytest.raises(FrsError) as caught:
            store.vault.open("subject:1", bad)
        assert caught.value.reason is Reason.KEY_WRONG


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the vault does not change
@given(junk=st.binary(max_size=80))
def test_foreign_bytes_raise_one_error(junk: bytes, vault_store: Store) -> None:
    """Whatever bytes are given, opening raises KEY_WRONG and nothing else."""
    with pytest.raises(FrsError) as caught:
        vault_store.vault.open("subject:1", junk)
    assert caught.value.reason is Reason.KEY_WRONG


@pytest.fixture(name="vault_store")
def _vault_store(store: Store) -> Store:
    store.vault.seal("subject:1", b"makes the key")
    return store


def test_pseudonyms_are_keyed_and_kinds_differ(store: Store) -> None:
    """A pseudonym is repeatable, tells its kind, and one name has different ones as subject and as actor."""
    subject, actor = store.vault.pseudonym("subject", "N-1"), store.vault.pseudonym("actor", "N-1")

    assert subject == store.vault.pseudonym("subject", "N-1")
    assert subject.startswith("s:")
    assert actor.startswith("a:")
    assert len(subject) == len(actor) == 2 + 64
    assert subject[2:] != actor[2:]
    assert subject != store.vault.pseudonym("subject", "N-2")


def test_ten_thousand_templates_open_quickly(store: Store) -> None:
    """A rebuild of 10,000 templates with keys of their own spends under two seconds of CPU on opening them."""
    sealed = [store.vault.seal(f"subject:{n}", b"\x00" * 512) for n in range(10_000)]
    store.database.write(lambda _: None)
    store.keyring._cache.clear()

    started = time.process_time()
    for number, data in enumerate(sealed):
        store.vault.open(f"subject:{number}", data)
    assert time.process_time() - started < 2.0
