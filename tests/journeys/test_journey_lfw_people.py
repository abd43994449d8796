"""Real people on real photographs: five of LFW are found in other pictures of them, forty others raise nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest

from frs.embed.pack import Pack
from frs.types import Mode
from frs.v1 import common_pb2, operator_pb2, operator_pb2_grpc, review_pb2, review_pb2_grpc, watchlist_pb2
from tests.journeys.conftest import Desk
from tests.journeys.pictures import jpeg
from tests.journeys.service import ROOT, Service, prepare
from tests.journeys.streaming import frame, opening, play
from tests.server.rpc_errors import rich

pytestmark = [pytest.mark.journey, pytest.mark.shared]

IMAGES = ROOT.parent / "shared" / "data" / "lfw-view1" / "images"
ENROLLED_IMAGES = 3
FRAMES = 5
REFUSED = {"SEVERAL_FACES", "FACE_QUALITY_TOO_LOW"}
MODES = {
    Mode.LIVE: common_pb2.MODE_LIVE,
    Mode.RETROSPECTIVE: common_pb2.MODE_RETROSPECTIVE,
    Mode.OPERATOR: common_pb2.MODE_OPERATOR,
}


def documented_thresholds() -> dict[Mode, float]:
    """Return the scores that docs/thresholds.md gives for the development pack and a list of up to 100 people."""
    text = (ROOT / "docs" / "thresholds.md").read_text()
    row = re.search(r"^\| up to 100 \| (0\.\d+) \| (0\.\d+) \|", text, flags=re.MULTILINE)
    assert row is not None
    live, single = float(row.group(1)), float(row.group(2))
    return {Mode.LIVE: live, Mode.RETROSPECTIVE: single, Mode.OPERATOR: single}


@dataclass(frozen=True)
class Five:
    """Who is enrolled."""

    watchlist: str
    others: dict[str, list[Path]]
    """By nominal, the photographs that were not enrolled."""


@pytest.fixture(scope="module")
def people() -> tuple[dict[str, list[Path]], list[Path]]:
    """Return the people with at least six photographs each, and one photograph of each of forty others."""
    if not IMAGES.is_dir():
        pytest.skip("needs ../shared/data/lfw-view1, which is not there")
    folders = sorted(p for p in IMAGES.iterdir() if p.is_dir())
    pictures = {folder.name: sorted(folder.glob("*.jpg")) for folder in folders}
    several = [name for name, files in pictures.items() if len(files) >= 6]
    once = [files[0] for files in pictures.values() if len(files) == 1]
    return {name: pictures[name] for name in several}, once[:: len(once) // 40][:40]


@pytest.fixture(scope="module")
def lfw_service(tmp_path_factory: pytest.TempPathFactory, dev_pack: Pack) -> Iterator[Service]:
    """Run a service on the development pack."""
    models = dev_pack.folder.parent
    data = prepare(tmp_path_factory.mktemp("lfw") / "data", models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRS_EMBED__PACK", dev_pack.name)
        with Service(data, models) as running:
            yield running


@pytest.fixture(scope="module")
def five(lfw_service: Service, people: tuple[dict[str, list[Path]], list[Path]]) -> Five:
    """Enrol five people with their first photographs at the documented thresholds.

    Photographs that show several people are refused, as they must be; the next person is taken then.
    """
    desk = Desk(lfw_service)
    thresholds = [
        watchlist_pb2.Threshold(mode=MODES[mode], score=score) for mode, score in documented_thresholds().items()
    ]
    draft = desk.draft(thresholds=thresholds)
    others: dict[str, list[Path]] = {}
    for name, files in people[0].items():
        try:
            desk.enrol(draft.name, name, *(file.read_bytes() for file in files[:ENROLLED_IMAGES]))
        except grpc.RpcError as error:
            assert rich(error).reason in REFUSED  # noqa: PT017  # refused or enrolled, both are right
        else:
            others[name] = files[ENROLLED_IMAGES:]
        if len(others) == 5:
            break
    assert len(others) == 5
    return Five(desk.activate(draft.name).name, others)


def clip_of(photographs: list[Path]) -> Iterator[bytes]:
    """Draw each photograph for a few frames, moving a little, each person at another place than the one before."""
    for number, path in enumerate(photographs):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for step in range(FRAMES):
            wall = np.full((360, 640, 3), 118, np.uint8)
            x, y = 20 + (number % 3) * 200 + 2 * step, 30 + (number // 3 % 2) * 160
            wall[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            yield jpeg(wall)


def play_photographs(service: Service, watchlist: str, photographs: list[Path], camera: str) -> list[str]:
    """Stream photographs as one camera, three seconds from person to person; returns the nominals alerted."""
    deployment = Desk(service).deployment(watchlist, cooldown_seconds=0.0).name
    requests = [opening(deployment, camera)]
    for number, data in enumerate(clip_of(photographs)):
        seconds = 3.0 * (number // FRAMES) + 0.2 * (number % FRAMES)
        requests.append(frame(number + 1, data, seconds, camera))
    heard = play(service, requests)
    assert heard.error is None
    assert heard.last.faces_seen >= 0.9 * len(photographs), "most faces are usable, or this proves nothing"
    alerts = service.stub(review_pb2_grpc.ReviewServiceStub, "superintendent").ListAlerts(
        review_pb2.ListAlertsRequest(page_size=1000, deployment=deployment)
    )
    return [alert.candidate.nominal for alert in alerts.alerts]


def identify(service: Service, watchlist: str, photograph: Path) -> list[str] | None:
    """Search one photograph as an officer; returns the nominals found, None where it shows several people."""
    request = operator_pb2.IdentifyRequest(
        photograph=photograph.read_bytes(),
        reason="gave no name",
        legal_power="PACE 1984 s64A",
        device="handset-1",
        watchlists=[watchlist],
    )
    try:
        answer = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer").Identify(request)
    except grpc.RpcError as error:
        assert rich(error).reason in REFUSED  # noqa: PT017  # refused or searched, both are right
        return None
    return [candidate.nominal for candidate in answer.candidates]


def test_the_five_are_found_live_in_other_photographs(lfw_service: Service, five: Five) -> None:
    """Each of the five raises an alert from photographs that were not enrolled, and nobody is taken for another."""
    for name, files in five.others.items():
        nominals = play_photographs(lfw_service, five.watchlist, files, f"cam-{name}")
        assert name in nominals
        assert set(nominals) == {name}


def test_forty_others_raise_no_alert(
    lfw_service: Service, five: Five, people: tuple[dict[str, list[Path]], list[Path]]
) -> None:
    """People who are on no list walk past and leave nothing but a count."""
    assert len(people[1]) == 40
    assert play_photographs(lfw_service, five.watchlist, people[1], "cam-others") == []


def test_an_officer_finds_the_five_and_none_of_the_forty(
    lfw_service: Service, five: Five, people: tuple[dict[str, list[Path]], list[Path]]
) -> None:
    """Most single photographs of the five rank them first; no photograph of another finds anybody."""
    searched = [
        (name, found)
        for name, files in five.others.items()
        for photograph in files
        if (found := identify(lfw_service, five.watchlist, photograph)) is not None
    ]
    assert len(searched) >= 15
    assert all(set(found) <= {name} for name, found in searched)
    assert sum(bool(found) for _, found in searched) >= 0.8 * len(searched)
    assert {name for name, found in searched if found} == set(five.others)
    strangers = [identify(lfw_service, five.watchlist, photograph) for photograph in people[1]]
    assert [found for found in strangers if found] == []
    assert strangers.count(None) <= 8
