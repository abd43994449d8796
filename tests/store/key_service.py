"""A key management service for tests: keys never leave it, it is asked by name, and it is set up from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.durable import make_folder, write_file
from frs.store.kek import KEY_BYTES, KeyEncryptionKey, LocalKeyEncryptionKey


class FolderService:
    """A file for each key in a folder beside the data directory, which stands for another machine."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.folder = folder

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(settings.data_dir.parent / "key-service")

    def prepared(self) -> KeyEncryptionKey | None:
        return None

    def create(self) -> KeyEncryptionKey:
        kek = LocalKeyEncryptionKey(key := os.urandom(KEY_BYTES))
        write_file(self.folder / kek.id, key)
        return kek

    def get(self, key_id: str) -> KeyEncryptionKey:
        try:
            return LocalKeyEncryptionKey((self.folder / Path(key_id).name).read_bytes())
        except OSError as error:
            raise FrsError(Reason.KEY_MISSING, f"The key service has no key {key_id}.") from error

    def keep_only(self, key_id: str) -> None:
        for path in self.folder.iterdir():
            if path.name != key_id:
                path.unlink()
