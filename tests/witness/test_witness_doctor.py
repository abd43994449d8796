"""What ``frs doctor`` says of the witness."""

from __future__ import annotations

from frs.clock import SystemClock
from frs.server.diagnosis import diagnose
from frs.server.findings import Finding, Verdict
from frs.settings import Settings
from tests.witness.conftest import WitnessedHouse, WitnessHouse, settings_of


def finding(house: WitnessedHouse, **audit: object) -> Finding:
    """Return the one finding on the witness of a house that is closed."""
    folder = house.settings.data_dir
    (folder / "log.vkey").write_text(f"{house.log.vkey}\n")
    settings = settings_of(folder, house.settings, **audit)
    settings = Settings.model_validate({**settings.model_dump(), "models_dir": str(folder / "none")})
    (found,) = [item for item in diagnose(settings, SystemClock()) if item.about == "witness"]
    return found


def test_the_doctor_asks_the_witness(house: WitnessedHouse, witness: WitnessHouse) -> None:
    """Well when it has seen this log; a note without a witness; absent it is a note or wrong, as the policy says."""
    house.grow(4)
    house.witnessing.sync()
    old = house.copy("old")
    old.close()
    found = finding(house)
    assert (found.verdict, found.details["witnessed"]) == (Verdict.WELL, 4)
    assert finding(house, witness_url="").verdict is Verdict.NOTE
    house.open()
    house.grow(1)
    house.witnessing.sync()
    house.close()
    found = finding(old)
    assert (found.verdict, found.details) == (Verdict.WRONG, {"reason": "WITNESS_CONFLICT"})
    witness.stop()
    for policy, verdict in (("warn", Verdict.NOTE), ("stop", Verdict.WRONG)):
        found = finding(house, witness_policy=policy)
        assert (found.verdict, found.details) == (verdict, {"reason": "WITNESS_UNAVAILABLE"})
