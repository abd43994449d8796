"""The packs that can be installed by name: where they are published, what is in them, under which licence.

Addresses, SHA-256 and licences are the publishers' own. Of an archive only the detector and the recogniser are
ever unpacked; the age, gender and landmark models that lie beside them are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from frs.embed import starter
from frs.embed.dlib_weights import DESCRIPTOR, SIDE
from frs.embed.manifest import DetectorKind, Profile, RecogniserKind

INSIGHTFACE = "https://github.com/deepinsight/insightface/releases/download/v0.7/"
OPENCV_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
"""The files are in Git LFS: this is the address of their content, not of the pointers."""

_RESEARCH = (
    "Non-commercial research only. Any other use, a police force's included, needs a licence agreement with"
    " InsightFace."
)
_RESEARCH_URL = "https://github.com/deepinsight/insightface#license"
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as it is published."""

    path: str
    """Below the entry's base address."""
    sha256: str
    size: int
    """Bytes, as published; to the megabyte where the publisher rounds."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Member:
    """A model file of the pack."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A pack that can be installed by name."""

    name: str
    summary: str
    base: str
    """Address the remote paths are below, with a final slash; empty when the pack is made here."""
    remotes: tuple[Remote, ...]
    """One zip archive, or the two model files themselves."""
    detector: Member
    detector_kind: DetectorKind
    recogniser: Member
    recogniser_kind: RecogniserKind
    dimension: int
    input_size: int
    licence: str
    licence_url: str
    permissive: bool
    """Whether the licence allows operational use without asking."""
    profile: Profile = "plain"
    notice: str = ""

    @property
    def made_here(self) -> bool:
        """Whether the pack is made from installed packages, without a download."""
        return not self.base

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(remote.size for remote in self.remotes)


def _insightface(
    name: str, summary: str, archive: str, size: int, detector: Member, recogniser: Member
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        summary=summary,
        base=INSIGHTFACE,
        remotes=(Remote(f"{name}.zip", archive, size),),
        detector=detector,
        detector_kind="scrfd",
        recogniser=recogniser,
        recogniser_kind="arcface",
        dimension=512,
        input_size=112,
        licence=_RESEARCH,
        licence_url=_RESEARCH_URL,
        permissive=False,
    )


_DET_10G = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
_W600K_R50 = Member("w600k_r50.onnx", "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43")
_YUNET = Remote(
    "face_detection_yunet/face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    232_589,
)
_SFACE = Remote(
    "face_recognition_sface/face_recognition_sface_2021dec.onnx",
    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    38_696_353,
)

CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        name=starter.NAME,
        summary="CenterFace and dlib ResNet, made offline: for demonstrations and tests",
        base="",
        remotes=(),
        detector=Member(starter.DETECTOR, ""),
        detector_kind="centerface",
        recogniser=Member(starter.RECOGNISER, ""),
        recogniser_kind="dlib-resnet",
        dimension=DESCRIPTOR,
        input_size=SIDE,
        licence=starter.LICENCE,
        licence_url=starter.LICENCE_URL,
        permissive=True,
        profile=starter.PROFILE,
        notice=starter.NOTICE,
    ),
    CatalogueEntry(
        name="opencv-zoo",
        summary="YuNet and SFace: the strongest known pack with permissive licences (99.40% on LFW, says OpenCV)",
        base=OPENCV_ZOO,
        remotes=(_YUNET, _SFACE),
        detector=Member(_YUNET.name, _YUNET.sha256),
        detector_kind="yunet",
        recogniser=Member(_SFACE.name, _SFACE.sha256),
        recogniser_kind="sface",
        dimension=128,
        input_size=112,
        licence="MIT (detector: YuNet); Apache-2.0 (recogniser: SFace)",
        licence_url="https://github.com/opencv/opencv_zoo",
        permissive=True,
    ),
    _insightface(
        "buffalo_l",
        "SCRFD 10G and ResNet-50 on WebFace600K",
        "80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        289 * _MB,
        Member("det_10g.onnx", _DET_10G),
        _W600K_R50,
    ),
    _insightface(
        "buffalo_m",
        "SCRFD 2.5G and ResNet-50 on WebFace600K",
        "d98264bd8f2dc75cbc2ddce2a14e636e02bb857b3051c234b737bf3b614edca9",
        276 * _MB,
        Member("det_2.5g.onnx", "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9"),
        _W600K_R50,
    ),
    _insightface(
        "buffalo_sc",
        "SCRFD 500M and MobileFaceNet on WebFace600K: small and fast",
        "57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72",
        15 * _MB,
        Member("det_500m.onnx", "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"),
        Member("w600k_mbf.onnx", "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f"),
    ),
    _insightface(
        "antelopev2",
        "SCRFD 10G and ResNet-100 on Glint360K",
        "8e182f14fc6e80b3bfa375b33eb6cff7ee05d8ef7633e738d1c89021dcf0c5c5",
        361 * _MB,
        Member("scrfd_10g_bnkps.onnx", _DET_10G),
        Member("glintr100.onnx", "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"),
    ),
)


def find_entry(name: str, catalogue: tuple[CatalogueEntry, ...] = CATALOGUE) -> CatalogueEntry | None:
    """Return the entry of this name, or None."""
    return next((entry for entry in catalogue if entry.name == name), None)


def find_publisher(
    detector: str, recogniser: str, catalogue: tuple[CatalogueEntry, ...] = CATALOGUE
) -> CatalogueEntry | None:
    """Return the entry whose two files have these SHA-256, however they are named, or None."""
    return next((e for e in catalogue if (e.detector.sha256, e.recogniser.sha256) == (detector, recogniser)), None)
