"""The log through appends, checkpoints, crashes, erasures, older databases and forks, in any order.

What holds throughout: every note ever signed is consistent with the log as it is, or the log is refused; an event that
was signed is never lost; what was erased stays erased; and the whole log verifies.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint
from frs.audit.nodes import node_reader
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.keyring import create_keyring
from frs.store.schema import audit_payload
from tests.audit_house import AuditHouse, alert_event
from tests.manual_clock import ManualClock

DATABASE = "frs.sqlite"


class LogMachine(RuleBasedStateMachine):
    """Drives a real log in a real folder beside a list of what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="frs-log-"))
        self.copies = 0
        self.number = 0
        self.leaves: list[bytes] = []
        self.erased: set[int] = set()
        self.signed: list[Checkpoint] = []
        self.backups: list[tuple[Path, int]] = []

    @initialize()
    def begin(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        create_keyring(data / "keyring")
        self.house = AuditHouse(Settings(data_dir=data), ManualClock())

    def teardown(self) -> None:
        if hasattr(self, "house"):
            report = self.house.verify()
            assert report.problems == ()
            assert report.events == len(self.leaves)
            assert report.payloads_erased == len(self.erased)
            assert report.payloads_opened == len(self.leaves) - len(self.erased)
            self.house.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        events = [alert_event(self.number + place) for place in range(count)]
        self.number += count
        assert self.house.append(*events) == list(range(len(self.leaves), len(self.leaves) + count))
        self.leaves += self.house.log.leaves(len(self.leaves), len(self.leaves) + count)

    @rule()
    def failing_act_leaves_nothing(self) -> None:
        def act(tx: Transaction) -> None:
            self.house.log.append(tx, alert_event(0))
            raise LookupError

        with pytest.raises(LookupError):
            self.house.store.database.write(act)
        assert self.house.log.size() == len(self.leaves)

    @rule()
    def checkpoint(self) -> None:
        note = self.house.signer.read(self.house.log.checkpoint())
        assert note.size == len(self.leaves)
        if note not in self.signed:
            self.signed.append(note)

    @rule()
    def reopen(self) -> None:
        self.house.restart()

    @rule()
    def crash(self) -> None:
        """Go on in a copy that was taken while the log was open, write-ahead log and all."""
        data = self._copy()
        self.house.close()
        self.house = AuditHouse(Settings(data_dir=data), self.house.clock)

    @precondition(lambda self: self.signed and self.signed[-1].size)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """Erase the payload of an event that was signed."""
        seq = data.draw(st.integers(0, self.signed[-1].size - 1))
        if seq in self.erased:
            return

        def act(tx: Transaction) -> None:
            self.house.store.vault.destroy(self.house.log.origins.payload_owner(seq))
            tx.connection.execute(audit_payload.delete().where(audit_payload.c.seq == seq))
            tx.erases = True

        self.house.store.database.write(act)
        self.erased.add(seq)
        assert self.house.log.get(seq, True).erased

    @rule()
    def back_up(self) -> None:
        """Keep a copy of the database alone."""
        self.house.close()
        kept = self.folder / f"backup-{len(self.backups)}"
        shutil.copy(self.house.settings.data_dir / DATABASE, kept)
        self.backups.append((kept, len(self.leaves)))
        self.house.open()

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        """Put an older database in place: refused where it lacks signed events, and else it holds all of them."""
        kept, size = data.draw(st.sampled_from(self.backups))
        file = self.house.settings.data_dir / DATABASE
        self.house.close()
        file.rename(file.with_suffix(".newer"))
        shutil.copy(kept, file)
        if size < (self.signed[-1].size if self.signed else 0):
            with pytest.raises(FrsError, match="an older database was put in its place") as caught:
                self.house.open()
            assert caught.value.reason is Reason.LOG_INCONSISTENT
            file.with_suffix(".newer").replace(file)
            self.house.open()
            return
        self.house.open()
        del self.leaves[size:]
        self.backups = [(path, held) for path, held in self.backups if held <= size]
        assert list(self.house.log.leaves(0, size + 1)) == self.leaves

    @precondition(lambda self: len(self.leaves) > 0)
    @rule()
    def fork(self) -> None:
        """Two copies that go on differently sign notes that no proof reconciles, and neither takes the other's data."""
        data = self._copy()
        fork = AuditHouse(Settings(data_dir=data), self.house.clock)
        fork.append(alert_event(1, forked=True))
        other = fork.signer.read(fork.log.checkpoint())
        fork.close()
        self.append(1)
        self.checkpoint()
        ours = self.signed[-1]
        assert other.size == ours.size
        assert other.root != ours.root
        self.append(2)
        with self.house.store.database.read() as connection:
            read = node_reader(connection)
            proof = tree.consistency_proof(other.size, len(self.leaves), read)
            with pytest.raises(FrsError, match="does not begin"):
                verify_consistency(other.size, len(self.leaves), other.root, tree.root(len(self.leaves), read), proof)
        self.house.close()
        file = self.house.settings.data_dir / DATABASE
        file.rename(file.with_suffix(".ours"))
        shutil.copy(data / DATABASE, file)
        with pytest.raises(FrsError, match="rewritten|older database") as caught:  # noqa: RUF043
            self.house.open()
        assert caught.value.reason is Reason.LOG_INCONSISTENT
        file.with_suffix(".ours").replace(file)
        self.house.open()

    @invariant()
    def old_notes_stay_consistent(self) -> None:
        """Prove that the log begins with every tree that was signed, and each event's place in the newest."""
        if not self.signed or not hasattr(self, "house"):
            return
        with self.house.store.database.read() as connection:
            read = node_reader(connection)
            root = tree.root(len(self.leaves), read)
        for note in self.signed:
            proof = self.house.log.consistency_proof(note.size, len(self.leaves))
            verify_consistency(note.size, len(self.leaves), note.root, root, proof)
        newest = self.signed[-1]
        for seq in (0, newest.size // 2, newest.size - 1):
            if 0 <= seq < newest.size:
                proof = self.house.log.inclusion_proof(seq, newest.size)
                verify_inclusion(seq, newest.size, tree.leaf_hash(self.leaves[seq]), proof, newest.root)

    def _copy(self) -> Path:
        self.copies += 1
        data = self.folder / f"copy-{self.copies}"
        shutil.copytree(self.house.settings.data_dir, data, ignore=shutil.ignore_patterns("*.newer"))
        return data


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(
    max_examples=10, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
