"""Processes that open an installation, begin one act and kill themselves at a named step of it. Run by a test.

Arguments: folder, models directory, picture, subject, and the steps. For each step the data directory ``FOLDER/STEP``
is opened by a process of its own, which enrols the picture or withdraws the subject and dies; prints how each ended.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from frs.audit.log import AuditLog
from frs.embed.loading import load_engine
from frs.index.galleries import Galleries
from frs.settings import Settings
from frs.store.key_destructions import OwedDestructions
from frs.store.keyring import Keyring
from frs.store.vault import Vault
from frs.watchlist.rebuilding import Indexing
from tests.installation import Installation
from tests.manual_clock import ManualClock
from tests.watchlist.watchlist_drafts import MANAGER, image, person

STEPS: dict[str, tuple[str, type, str, bool]] = {
    # name: the act, the real method around which it dies, and whether after it has run
    "enrol-sealed": ("enrol", Vault, "seal", True),
    "enrol-logged": ("enrol", AuditLog, "append", True),
    "enrol-keys-durable": ("enrol", Keyring, "prepare", True),
    "enrol-committed": ("enrol", Galleries, "add", False),
    "enrol-indexed": ("enrol", Galleries, "add", True),
    "enrol-unanswered": ("enrol", Indexing, "settle", False),
    "withdraw-logged": ("withdraw", AuditLog, "append", True),
    "withdraw-destruction-owed": ("withdraw", OwedDestructions, "_carry_out_doomed", False),
    "withdraw-destroyed": ("withdraw", OwedDestructions, "_carry_out_doomed", True),
    "withdraw-removed": ("withdraw", Galleries, "remove_subject", True),
}


def die_around(owner: type, name: str, after: bool) -> None:
    """Replace a method by one that calls it and dies, or dies in its place."""
    real = getattr(owner, name)

    def deadly(*arguments: Any, **named: Any) -> None:
        if after:
            real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)


def act(data: Path, models: str, picture: bytes, subject: str, step: str) -> None:
    """Begin the step's act; does not return."""
    embed = {"threads": 1, "detector_size": 160}
    settings = Settings.model_validate({"data_dir": data, "models_dir": models, "embed": embed})
    house = Installation(settings, ManualClock(), load_engine(settings))
    house.open()
    kind, owner, name, after = STEPS[step]
    die_around(owner, name, after)
    if kind == "enrol":
        house.watchlists.enrol(MANAGER, "wanted", person("N-2"), [image(picture)])
    else:
        house.watchlists.withdraw(MANAGER, subject, "warrant executed")


def main(folder: str, models: str, picture: str, subject: str, *steps: str) -> None:
    data = Path(picture).read_bytes()
    for step in steps:
        # forked before any thread is started: the imports are paid for once
        child = os.fork()
        if not child:
            try:
                act(Path(folder) / step, models, data, subject, step)
            finally:
                os._exit(1)  # it should not have come to this
        print(step, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
