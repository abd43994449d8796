"""An installation for tests: the real parts, opened and closed as often as a test likes."""

from __future__ import annotations

from pathlib import Path

from frs.audit.checkpoints import CheckpointSigner
from frs.audit.log import AuditLog
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.index.galleries import Galleries
from frs.settings import Settings
from frs.store.durable import make_folder
from frs.store.keyring import create_keyring
from frs.store.opening import Store, open_store
from frs.watchlist.rebuilding import RebuildReport
from frs.watchlist.registry import Watchlists
from tests.manual_clock import ManualClock

MODELS = Path(__file__).resolve().parent.parent / ".cache" / "models"
"""Where the tests' model packs are kept from one run to the next."""


def engine_settings(pack: Pack, data_dir: Path | None = None) -> Settings:
    """Return settings for a pack on the shelf, with one thread: tests share the machine."""
    place = {} if data_dir is None else {"data_dir": data_dir}
    return Settings.model_validate({"models_dir": str(MODELS), "embed": {"pack": pack.name, "threads": 1}, **place})


def lay_out(settings: Settings) -> None:
    """Make what ``frs init`` makes of the data: its folder and keyring."""
    make_folder(settings.data_dir)
    create_keyring(settings.keyring_path)


class Installation:
    """Store, log, galleries and watchlists over one data directory."""

    store: Store
    audit: AuditLog
    galleries: Galleries
    watchlists: Watchlists
    rebuilt: RebuildReport

    def __init__(self, settings: Settings, clock: ManualClock, engine: FaceEngine) -> None:
        self.settings, self.clock, self.engine = settings, clock, engine

    def open(self) -> None:
        """Open the data directory and rebuild the index."""
        self.store = open_store(self.settings, self.clock)
        database, vault = self.store.database, self.store.vault
        signer = CheckpointSigner.open(self.store.keyring, self.settings, database.installation_id)
        self.audit = AuditLog(database, vault, signer, self.clock)
        self.galleries = Galleries(self.engine.model.dimension)
        self.watchlists = Watchlists(
            database, vault, self.audit, self.galleries, self.engine, self.settings, self.clock
        )
        self.rebuilt = self.watchlists.rebuild()

    def close(self) -> None:
        """Let go of the data directory; the engine stays."""
        self.store.close()

    def restart(self) -> None:
        """Close and open again, as a server that is started anew."""
        self.close()
        self.open()
