"""Files that are whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.store.durable import create_file, make_folder, write_file
from frs.store.lock import FolderLock


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    """A shorter content leaves nothing of the longer one, and no file beside."""
    path = tmp_path / "file"
    write_file(path, b"long content")
    write_file(path, b"short")

    assert path.read_bytes() == b"short"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_failed_writing_leaves_the_old_content(tmp_path: Path) -> None:
    """When the new content cannot take the old one's place, the old one stays and nothing lies beside it."""
    folder = tmp_path / "file"
    folder.mkdir()
    (folder / "child").touch()

    with pytest.raises(OSError, match="directory"):
        write_file(folder, b"content")
    assert list(tmp_path.iterdir()) == [folder]


def test_creating_does_not_overwrite(tmp_path: Path) -> None:
    """A file that must be new is refused when it is there."""
    create_file(tmp_path / "key", b"first")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"


def test_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    """Missing parents are closed to others too; folders that exist keep their mode."""
    tmp_path.chmod(0o755)
    make_folder(tmp_path / "a" / "b")

    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", ".")] == [0o700, 0o700, 0o755]


def test_lock_is_held_once_and_released(tmp_path: Path) -> None:
    """A folder is locked by one holder at a time; releasing twice is harmless."""
    lock = FolderLock(tmp_path)
    with pytest.raises(FrsError) as caught:
        FolderLock(tmp_path)
    assert caught.value.reason is Reason.DATA_DIRECTORY_IN_USE
    lock.release()
    lock.release()
    FolderLock(tmp_path).release()
