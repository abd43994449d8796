"""Custody of key-encryption keys: the files' own, and a service's, keep the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.key_custody import FileCustody, HeldKey, KeyCustody, open_custody
from frs.store.keyring import create_keyring
from frs.store.opening import open_store
from tests.manual_clock import ManualClock
from tests.store.custody_contract import CustodyContract
from tests.store.key_service import FolderService

SERVICE = "tests.store.key_service:FolderService"


class TestFiles(CustodyContract):
    """The key-encryption key as a file."""

    @pytest.fixture
    def custody(self, tmp_path: Path) -> KeyCustody:
        return FileCustody(tmp_path)

    def again(self, custody: KeyCustody) -> KeyCustody:
        assert isinstance(custody, FileCustody)
        return FileCustody(custody._current.parent)


class TestService(CustodyContract):
    """The key-encryption key in a service."""

    @pytest.fixture
    def custody(self, tmp_path: Path) -> KeyCustody:
        return FolderService(tmp_path)

    def again(self, custody: KeyCustody) -> KeyCustody:
        assert isinstance(custody, FolderService)
        return FolderService(custody.folder)


def test_destroyed_file_is_overwritten_first(tmp_path: Path) -> None:
    """The old key's bytes are gone from the file itself, not only its name from the folder."""
    custody = FileCustody(tmp_path)
    custody.create()
    new = custody.create()
    with (tmp_path / "kek").open("rb") as old:
        before = old.read()
        custody.keep_only(new.id)
        old.seek(0)
        assert old.read() == bytes(len(before))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kek"]


def test_keyring_works_over_a_service(tmp_path: Path) -> None:
    """``store.kek`` names a class: no key-encryption key lies in the keyring, and rotation goes through the service."""
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "store": {"kek": SERVICE}})
    create_keyring(settings.keyring_path, custody=open_custody(settings))
    store = open_store(settings, ManualClock())
    sealed = store.vault.seal("subject:1", b"template")
    old = store.keyring.kek_id
    assert store.keyring.rotate("yearly").old_key == old
    store.close()

    store = open_store(settings, ManualClock())
    assert store.vault.open("subject:1", sealed) == b"template"
    store.close()
    assert not (settings.keyring_path / "kek").exists()
    assert [path.name for path in (tmp_path / "key-service").iterdir()] != [old]


@pytest.mark.parametrize("name", ["files", "no.such:Class", "frs.store.kek:Nothing", ":", "os", ""])
def test_unknown_class_is_named(tmp_path: Path, name: str) -> None:
    """A class that does not exist is a wrong setting."""
    settings = Settings.model_validate({"data_dir": tmp_path, "store": {"kek": name}})
    with pytest.raises(FrsError, match=r"store\.kek") as caught:
        open_custody(settings)
    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_held_key_cannot_be_rotated(tmp_path: Path) -> None:
    """A keyring opened with a key in hand says that it cannot make another."""
    custody = HeldKey(FileCustody(tmp_path).create())
    with pytest.raises(FrsError, match="cannot be rotated"):
        custody.create()
