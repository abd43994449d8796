"""From settings to a running engine: find the pack, verify it, open its two networks, try them.

Only the pack's detector and recogniser are opened. Whatever else lies in its folder (the age, gender and 3-D
models of InsightFace's archives) is never read.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from frs.embed.detectors.detections import Detector
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack, find_pack, load_pack
from frs.embed.recognisers.recogniser import Recogniser
from frs.embed.sessions import CUDA, Network, open_network, open_rows_network
from frs.errors import FrsError, Reason
from frs.settings import EmbedSettings, Settings
from frs.types import ModelInfo

FAINT = 0.4
"""Share of ``embed.detector_score`` from which a place may be a face, and is hidden where it is not asked about."""


def load_engine(settings: Settings) -> FaceEngine:
    """Load the pack that ``embed.pack`` names.

    Raises ``MODEL_NOT_FOUND``, ``MODEL_CHANGED`` or ``MODEL_INVALID`` for the pack, and ``GPU_REQUIRED`` when
    ``embed.require_gpu`` is set and CUDA does not run both networks.
    """
    return build_engine(load_pack(find_pack(settings)), settings)


def build_engine(pack: Pack, settings: Settings) -> FaceEngine:
    """Open a verified pack's networks and try them on a blank picture."""
    # OpenCV's own threads would compete with the requests that already share the cores.
    cv2.setNumThreads(1)
    network = open_network(pack.detector_path, settings.embed)
    detector = _detector(pack, network, settings.embed)
    profile = pack.profile if settings.embed.profile == "auto" else settings.embed.profile
    recogniser = _recogniser(pack, settings.embed, profile)
    _try(pack, detector, recogniser)
    model = ModelInfo(
        pack=pack.name,
        version=pack.version,
        dimension=pack.dimension,
        profile=profile,
        # CUDA is claimed only when both networks run on it.
        provider=next((p for p in (network.provider, recogniser.provider) if p != CUDA), CUDA),
        notice=pack.notice,
        # The pack's thresholds and curves were measured under its own profile and mean nothing under another.
        thresholds=pack.thresholds if profile == pack.profile else (),
        curves=pack.curves if profile == pack.profile else (),
    )
    return FaceEngine(model, detector, recogniser, settings)


def _detector(pack: Pack, network: Network, settings: EmbedSettings) -> Detector:
    # With fixed shapes every picture is padded to one square.
    square = settings.fixed_batch
    # Boxes of lower scores never suppress those of higher ones: the faces that are matched stay the same.
    size, score = settings.detector_size, settings.detector_score * FAINT
    if pack.detector.kind == "centerface":
        from frs.embed.detectors.centerface import CenterFace

        return CenterFace(network, size, score, square=square)
    if pack.detector.kind == "scrfd":
        from frs.embed.detectors.scrfd import Scrfd

        return Scrfd(network, size, score, square=square)
    if pack.detector.kind == "yunet":
        from frs.embed.detectors.yunet import YuNet

        return YuNet(network, size, score, square=square)
    raise FrsError(Reason.MODEL_INVALID, f"the pack {pack.name} has a detector of unknown kind {pack.detector.kind!r}")


def _recogniser(pack: Pack, settings: EmbedSettings, profile: str) -> Recogniser:
    # A mirrored profile brings two rows per face.
    rows = settings.max_batch * (2 if profile == "mirror" else 1) if settings.fixed_batch else None
    network = open_rows_network(pack.recogniser_path, settings, rows)
    if pack.recogniser.kind == "dlib-resnet":
        from frs.embed.recognisers.dlib_resnet import DlibResnet

        return DlibResnet(network)
    if pack.recogniser.kind == "arcface":
        from frs.embed.recognisers.arcface import ArcFace

        return ArcFace(network, pack.recogniser_path)
    if pack.recogniser.kind == "sface":
        from frs.embed.recognisers.sface import SFace

        return SFace(network)
    message = f"the pack {pack.name} has a recogniser of unknown kind {pack.recogniser.kind!r}"
    raise FrsError(Reason.MODEL_INVALID, message)


def _try(pack: Pack, detector: Detector, recogniser: Recogniser) -> None:
    """Run both networks once, so that a pack that cannot work fails here and not at the first face."""
    attempts: tuple[tuple[str, Callable[[], object]], ...] = (
        (pack.detector.name, lambda: detector.detect(np.zeros((160, 160, 3), np.uint8))),
        (pack.recogniser.name, lambda: recogniser.embed(np.zeros((2, recogniser.size, recogniser.size, 3), np.uint8))),
    )
    for name, attempt in attempts:
        try:
            result = attempt()
        except (FrsError, ValueError, IndexError) as error:
            raise FrsError(Reason.MODEL_INVALID, f"{name} of the pack {pack.name} does not run: {error}") from error
    assert isinstance(result, np.ndarray)
    if result.shape != (2, pack.dimension) or recogniser.size != pack.input_size:
        message = (
            f"{pack.recogniser.name} takes {recogniser.size} pixels and gives {result.shape[1:]} numbers; the manifest"
            f" says {pack.input_size} and {pack.dimension}"
        )
        raise FrsError(Reason.MODEL_INVALID, message)
