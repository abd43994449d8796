"""A client in another language, given only ``protos/`` and certificates, does the main job."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.journeys.conftest import SCORE
from tests.journeys.pictures import frames
from tests.journeys.service import Service

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.journey
def test_a_node_client_enrols_streams_searches_reviews_and_reads_the_log(
    node_client: Path, service: Service, sample_people: tuple[bytes, ...], tmp_path: Path
) -> None:
    """Every step of the main job works from the published contract alone, rich errors included."""
    pictures = {"enrol": sample_people[0], "stranger": sample_people[3]}
    for number, data in enumerate(frames(sample_people[:1], 6)):
        pictures[f"frame{number}"] = data
    paths = {}
    for name, data in pictures.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(data)
        paths[name] = str(path)
    certs = service.data / "certs"
    settings = {
        "address": service.address,
        "certs": str(certs),
        "protos": str(ROOT / "protos"),
        "enrol": paths["enrol"],
        "stranger": paths["stranger"],
        "frames": [path for name, path in paths.items() if name.startswith("frame")],
        "watchlist": "from-node",
        "thresholds": [[mode, SCORE] for mode in ("MODE_LIVE", "MODE_RETROSPECTIVE", "MODE_OPERATOR")],
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    command = ["node", str(node_client), str(tmp_path / "settings.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    assert said["subject"].startswith("watchlists/from-node/subjects/")
    assert len(said["alerts"]) == 1
    assert said["progress"]["done"] is True
    assert said["progress"]["framesProcessed"] == 6
    assert said["watched"]["probe"] > 0
    assert said["decided"]["withheld"] is True
    assert said["decided"]["before"] == 0
    assert said["decided"]["after"] >= SCORE
    assert said["decided"]["state"] == "CASE_STATE_ADJUDICATED"
    assert said["match"]["matched"] is True
    assert said["match"]["nominal"] == "NODE/1"
    assert said["match"]["owed"] >= 1
    assert said["noMatch"] == {"matched": False, "candidates": 0}
    assert said["outcome"] == "OUTCOME_SAME_PERSON"
    assert said["refusal"]["code"] == 5  # NOT_FOUND
    assert said["refusal"]["rich"] == 1
    assert {
        "watchlist.created",
        "subject.enrolled",
        "watchlist.approved",
        "watchlist.activated",
        "watchlist.reviewed",
        "deployment.opened",
        "alert.raised",
        "alert.adjudicated",
        "deployment.ended",
        "operator.search",
    } <= set(said["actions"])
    assert said["treeSize"] > 0
    assert "\u2014" in said["note"]  # the signature line of a signed note begins with an em dash
