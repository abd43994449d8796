"""The keyring: making it, opening it with the right key, and keeping keys until they are destroyed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.store.kek import LocalKeyEncryptionKey, create_kek_file, read_kek_file
from frs.store.keycache import KeyCache
from frs.store.keyring import PSEUDONYM_SECRET, Keyring, create_keyring
from frs.store.opening import Store
from tests.manual_clock import ManualClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keys")
    return tmp_path / "keys"


def reason_of(folder: Path) -> Reason:
    with pytest.raises(FrsError) as caught:
        Keyring.open(folder)
    return caught.value.reason


def test_folder_without_keyring_is_not_initialised(tmp_path: Path) -> None:
    """Opening what was never made says so and makes nothing."""
    assert reason_of(tmp_path / "nothing") is Reason.NOT_INITIALISED
    assert not (tmp_path / "nothing").exists()


def test_making_again_keeps_every_key(folder: Path) -> None:
    """A second ``create_keyring`` leaves key-encryption key and secrets as they are."""
    kek = (folder / "kek").read_bytes()
    first = Keyring.open(folder)
    secret = first.secret(PSEUDONYM_SECRET)
    first.close()
    create_keyring(folder)

    second = Keyring.open(folder)
    assert second.secret(PSEUDONYM_SECRET) == secret
    assert (folder / "kek").read_bytes() == kek
    second.close()


def test_unfinished_making_is_finished(tmp_path: Path) -> None:
    """A crash after the key-encryption key was written is made good by making it again."""
    folder = tmp_path / "keys"
    folder.mkdir()
    create_kek_file(folder / "kek")
    kek = (folder / "kek").read_bytes()
    create_keyring(folder)

    Keyring.open(folder).close()
    assert (folder / "kek").read_bytes() == kek


def test_missing_key_encryption_key_is_named(folder: Path) -> None:
    """Without the file that opens the keys the keyring does not open, and making it again does not replace the file."""
    (folder / "kek").unlink()

    assert reason_of(folder) is Reason.KEY_MISSING
    with pytest.raises(FrsError, match="is not there"):
        create_keyring(folder)
    assert not (folder / "kek").exists()


def test_other_key_encryption_key_is_refused(folder: Path) -> None:
    """A key-encryption key of another installation is refused at opening."""
    (folder / "kek").unlink()
    create_kek_file(folder / "kek")

    assert reason_of(folder) is Reason.KEY_WRONG


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"frs-key-encryption-key-v1\n",
        b"frs-key-encryption-key-v1\nAAAA\n",
        b"frs-key-encryption-key-v1\n!\n",
        b"\xff\x00" * 40,
        b"frs-key-encryption-key-v2\n" + b"A" * 43 + b"=\n",
        b"frs-key-encryption-key-v1\n" + b"A" * 43 + b"=\nmore\n",
    ],
)
def test_file_that_is_no_key_is_refused(folder: Path, content: bytes) -> None:
    """Whatever stands in the key's file, the answer is KEY_WRONG."""
    (folder / "kek").write_bytes(content)

    assert reason_of(folder) is Reason.KEY_WRONG


def test_keyring_is_for_one_process(folder: Path) -> None:
    """While a keyring is open it cannot be opened again: caches would keep what the other destroys."""
    keyring = Keyring.open(folder)
    assert reason_of(folder) is Reason.DATA_DIRECTORY_IN_USE
    keyring.close()
    Keyring.open(folder).close()


def test_keys_survive_closing(folder: Path) -> None:
    """A key made once is the same after reopening; every owner has its own."""
    first = Keyring.open(folder)
    keys = {owner: first.key_or_new(owner) for owner in ("subject:1", "subject:2", "alert:1")}
    assert first.key_or_new("subject:1") == keys["subject:1"]
    first.close()

    second = Keyring.open(folder)
    assert {owner: second.key(owner) for owner in keys} == keys
    assert len(set(keys.values())) == 3
    second.close()


def test_unknown_owner_has_no_key(folder: Path) -> None:
    """Reading does not make keys."""
    keyring = Keyring.open(folder)
    with pytest.raises(FrsError, match="is not in the keyring") as caught:
        keyring.key("subject:nobody")
    assert caught.value.reason is Reason.KEY_MISSING
    keyring.close()


def test_destroyed_key_is_never_made_again(folder: Path, clock: ManualClock) -> None:
    """After destruction the key can neither be read nor made, now or later, and the error says since when."""
    keyring = Keyring.open(folder, clock)
    keyring.key_or_new("subject:1")
    keyring.destroy("subject:1")
    for _ in range(2):
        for attempt in (keyring.key, keyring.key_or_new):
            with pytest.raises(FrsError, match="destroyed at 2026-03-02T09:00") as caught:
                attempt("subject:1")
            assert caught.value.reason is Reason.KEY_MISSING
        keyring.close()
        keyring = Keyring.open(folder, clock)
    assert keyring.destroyed("subject:1")
    assert not keyring.destroyed("subject:2")
    keyring.close()


def test_destroying_twice_is_harmless(folder: Path, clock: ManualClock) -> None:
    """The first destruction's time stays; an owner without a key can be destroyed too."""
    keyring = Keyring.open(folder, clock)
    keyring.destroy("subject:never-had-one")
    clock.advance(days=1)
    keyring.destroy("subject:never-had-one")

    with pytest.raises(FrsError, match="destroyed at 2026-03-02T09:00"):
        keyring.key_or_new("subject:never-had-one")
    keyring.close()


def test_wrapped_key_moved_to_another_owner_does_not_open(folder: Path) -> None:
    """A wrapped key is bound to its owner."""
    kek = read_kek_file(folder / "kek")
    wrapped = kek.wrap(b"k" * 32, b"subject:1")

    assert kek.unwrap(wrapped, b"subject:1") == b"k" * 32
    with pytest.raises(FrsError) as caught:
        kek.unwrap(wrapped, b"subject:2")
    assert caught.value.reason is Reason.KEY_WRONG


def test_every_byte_of_a_wrapped_key_counts() -> None:
    """A wrapped key in which any byte was changed, or that was cut, does not open."""
    kek = LocalKeyEncryptionKey(b"K" * 32)
    wrapped = kek.wrap(b"k" * 32, b"owner")
    altered = [wrapped[:i] + bytes([wrapped[i] ^ 1]) + wrapped[i + 1 :] for i in range(len(wrapped))]
    cut = [wrapped[:length] for length in range(len(wrapped))]

    for bad in [*altered, *cut]:
        with pytest.raises(FrsError) as caught:
            kek.unwrap(bad, b"owner")
        assert caught.value.reason is Reason.KEY_WRONG


def test_key_encryption_key_can_be_plugged_in(tmp_path: Path) -> None:
    """With a key-encryption key from elsewhere no key file is written, and only that key opens the keyring."""
    elsewhere = LocalKeyEncryptionKey(b"E" * 32)
    create_keyring(tmp_path, elsewhere)
    keyring = Keyring.open(tmp_path, kek=elsewhere)
    key = keyring.key_or_new("subject:1")
    keyring.close()

    assert not (tmp_path / "kek").exists()
    reopened = Keyring.open(tmp_path, kek=LocalKeyEncryptionKey(b"E" * 32))
    assert reopened.key("subject:1") == key
    reopened.close()
    with pytest.raises(FrsError) as caught:
        Keyring.open(tmp_path, kek=LocalKeyEncryptionKey(b"X" * 32))
    assert caught.value.reason is Reason.KEY_WRONG


def test_threads_agree_on_a_new_owners_key(store: Store) -> None:
    """Many threads that need a new owner's key at once, while acts commit, all get the same one."""
    found: list[tuple[str, bytes]] = []
    start = threading.Barrier(9)

    def work() -> None:
        start.wait(10)
        for number in range(100):
            owner = f"subject:{number}"
            found.append((owner, store.keyring.key_or_new(owner)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait(10)
    while any(thread.is_alive() for thread in threads):
        store.database.write(lambda _: None)
    assert len(found) == 800
    assert len(set(found)) == 100


def test_cache_keeps_the_most_recently_used() -> None:
    """A full cache lets go of the key that was used longest ago, and of those it is told to forget."""
    cache = KeyCache(capacity=2)
    cache.put("a", b"1")
    cache.put("b", b"2")
    assert cache.get("a") == b"1"
    cache.put("c", b"3")
    assert [cache.get(owner) for owner in "abc"] == [b"1", None, b"3"]
    cache.forget("a")
    cache.forget("never there")
    assert cache.get("a") is None
    cache.clear()
    assert cache.get("c") is None


def test_keys_live_apart_from_the_database(store: Store) -> None:
    """The key-encryption key and every wrapped key lie in the keyring's folder and nowhere else."""
    store.database.write(lambda _: store.vault.seal("subject:1", b"template"))

    assert sorted(path.name for path in store.keyring.path.iterdir() if "keyring.sqlite-" not in path.name) == [
        "kek",
        "keyring.sqlite",
        "lock",
    ]
