"""A store over a fresh data directory, and a search for bytes in all its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

import pytest

from frs.settings import Settings
from frs.store.opening import Store, open_store
from tests.forking import Child
from tests.manual_clock import ManualClock


@pytest.fixture
def store(settings: Settings, clock: ManualClock) -> Iterator[Store]:
    store = open_store(settings, clock)
    yield store
    store.close()


@pytest.fixture
def planted(settings: Settings) -> Callable[[Iterable[bytes]], set[bytes]]:
    """Which of the given bytes are in any file of the data directory; a child looks, as SQLite's locks ask."""

    def search(needles: Iterable[bytes]) -> set[bytes]:
        wanted = list(needles)

        def look(stream: TextIO) -> None:
            files = [path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()]
            stream.write("\n".join(needle.hex() for needle in wanted if any(needle in file for file in files)))

        child = Child(look)
        found = {bytes.fromhex(line) for line in child.output.read().split()}
        assert child.wait() == 0
        return found

    return search
