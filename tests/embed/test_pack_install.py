"""Installing by name: licence, publisher, mirror, folder and archive, with every file checked."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from frs.embed.catalogue import CATALOGUE, CatalogueEntry, Member, Remote
from frs.embed.install import install
from frs.embed.shelf import Shelf
from frs.errors import FrsError, Reason

DETECTOR, RECOGNISER = b"a detector" * 999, b"a recogniser" * 999
INSTALLABLE = [e for e in CATALOGUE if not e.made_here]


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 5, 4, tzinfo=UTC)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archive_of(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return packed.getvalue()


USUAL = {
    "inner/det.onnx": DETECTOR,
    "inner/rec.onnx": RECOGNISER,
    "inner/genderage.onnx": b"never",
    "inner/1k3d68.onnx": b"never",
    "../../escaped.onnx": b"never",
    "/tmp/absolute.onnx": b"never",
}


def archived(archive: bytes, base: str = "https://publisher.invalid/") -> CatalogueEntry:
    """Describe a pack that is published as one zip archive."""
    return CatalogueEntry(
        name="little",
        summary="for tests",
        base=base,
        remotes=(Remote("little.zip", sha(archive), len(archive)),),
        detector=Member("det.onnx", sha(DETECTOR)),
        detector_kind="scrfd",
        recogniser=Member("rec.onnx", sha(RECOGNISER)),
        recogniser_kind="arcface",
        dimension=512,
        input_size=112,
        licence="Research only.",
        licence_url="https://publisher.invalid/licence",
        permissive=False,
        notice="only a test",
    )


def separate(base: str = "https://publisher.invalid/") -> CatalogueEntry:
    """Describe a pack that is published as two files."""
    return CatalogueEntry(
        name="pair",
        summary="for tests",
        base=base,
        remotes=(
            Remote("yunet/det.onnx", sha(DETECTOR), len(DETECTOR)),
            Remote("sface/rec.onnx", sha(RECOGNISER), len(RECOGNISER)),
        ),
        detector=Member("det.onnx", sha(DETECTOR)),
        detector_kind="yunet",
        recogniser=Member("rec.onnx", sha(RECOGNISER)),
        recogniser_kind="sface",
        dimension=128,
        input_size=112,
        licence="MIT",
        licence_url="",
        permissive=True,
    )


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """Serve a folder on loopback; give it and its address."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "published"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{http.server_address[1]}/"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


def put(entry: CatalogueEntry, shelf: Shelf, source: object = "", accepted: bool = True) -> Path:
    pack = install(entry, shelf, StoppedClock(), licence_accepted=accepted, source=str(source), pause_seconds=0.001)
    return pack.folder


@pytest.mark.parametrize("entry", INSTALLABLE, ids=[e.name for e in INSTALLABLE])
def test_catalogue_entry_is_not_installed_without_its_licence(entry: CatalogueEntry, shelf: Shelf) -> None:
    """Nothing is downloaded until the licence is accepted; the refusal states it and where to read it."""
    with pytest.raises(FrsError) as caught:
        install(entry, shelf, StoppedClock())
    assert caught.value.reason is Reason.MODEL_LICENCE_NOT_ACCEPTED
    assert entry.licence in caught.value.message
    assert entry.licence_url in caught.value.message
    assert not shelf.folder.exists()


def test_starter_needs_no_acceptance(shelf: Shelf) -> None:
    """The starter pack is made here from permissively licensed weights, without a question."""
    entry = next(e for e in CATALOGUE if e.made_here)
    pack = install(entry, shelf, StoppedClock())
    assert (pack.name, pack.dimension, pack.input_size) == ("starter", entry.dimension, entry.input_size)
    assert (pack.profile, pack.licence, pack.notice) == (entry.profile, entry.licence, entry.notice)


def test_archive_is_downloaded_and_only_two_files_kept(
    published: tuple[Path, str], shelf: Shelf, tmp_path: Path
) -> None:
    """Of the archive only detector and recogniser are written; no other entry, and no path, leaves it."""
    folder, address = published
    archive = archive_of(USUAL)
    (folder / "little.zip").write_bytes(archive)
    place = put(archived(archive, address), shelf)
    assert {p.name: p.read_bytes() for p in place.iterdir() if p.suffix == ".onnx"} == {
        "det.onnx": DETECTOR,
        "rec.onnx": RECOGNISER,
    }
    assert [p.name for p in tmp_path.rglob("*.onnx")].count("escaped.onnx") == 0
    assert list(shelf.downloads.iterdir()) == []
    pack = shelf.load("little")
    assert (pack.licence, pack.notice, pack.dimension) == ("Research only.", "only a test", 512)


def test_two_published_files_are_downloaded(published: tuple[Path, str], shelf: Shelf) -> None:
    """A pack published as two files in two folders is brought from both."""
    folder, address = published
    for path, data in (("yunet/det.onnx", DETECTOR), ("sface/rec.onnx", RECOGNISER)):
        (folder / path).parent.mkdir()
        (folder / path).write_bytes(data)
    put(separate(address), shelf)
    assert shelf.load("pair").recogniser.kind == "sface"


def test_mirror_replaces_the_publisher(published: tuple[Path, str], shelf: Shelf) -> None:
    """With another address the files are taken from there, by their names alone."""
    folder, address = published
    (folder / "sub").mkdir()
    (folder / "sub/det.onnx").write_bytes(DETECTOR)
    (folder / "sub/rec.onnx").write_bytes(RECOGNISER)
    put(separate(), shelf, address + "sub")
    assert shelf.load("pair").detector.sha256 == sha(DETECTOR)


def test_local_archive_folder_and_unpacked_folder(tmp_path: Path, shelf: Shelf) -> None:
    """A zip, a folder with the zip and a folder of the unpacked files all serve as source."""
    archive = archive_of(USUAL)
    (tmp_path / "zips").mkdir()
    (tmp_path / "zips/little.zip").write_bytes(archive)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat/det.onnx").write_bytes(DETECTOR)
    (tmp_path / "flat/rec.onnx").write_bytes(RECOGNISER)
    for source in ("zips/little.zip", "zips", "flat"):
        put(archived(archive), shelf, tmp_path / source)
        assert shelf.load("little").version
    assert not shelf.downloads.exists()


def test_missing_local_source_is_not_found(tmp_path: Path, shelf: Shelf) -> None:
    """A source that is not there, or a folder without the files, is said to be so."""
    for source in (tmp_path / "absent", tmp_path):
        with pytest.raises(FrsError, match="neither") as caught:
            put(archived(b""), shelf, source)
        assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_local_archive_with_another_digest_is_not_opened(tmp_path: Path, shelf: Shelf) -> None:
    """A local archive is held to the publisher's digest like a downloaded one."""
    (tmp_path / "little.zip").write_bytes(archive_of(USUAL) + b"!")
    with pytest.raises(FrsError, match=r"little\.zip is not the publisher's") as caught:
        put(archived(archive_of(USUAL)), shelf, tmp_path / "little.zip")
    assert caught.value.reason is Reason.MODEL_CHANGED


@pytest.mark.parametrize("file", ["det.onnx", "rec.onnx"])
def test_changed_model_file_is_refused(tmp_path: Path, shelf: Shelf, file: str) -> None:
    """A model file that is not the publisher's is refused by name, in an archive or unpacked; nothing is placed."""
    members = {"det.onnx": DETECTOR, "rec.onnx": RECOGNISER} | {file: b"another"}
    for name, data in members.items():
        (tmp_path / name).write_bytes(data)
    archive = archive_of(members)
    (tmp_path / "little.zip").write_bytes(archive)
    for source in (tmp_path, tmp_path / "little.zip"):
        with pytest.raises(FrsError, match=file) as caught:
            put(archived(archive), shelf, source)
        assert caught.value.reason is Reason.MODEL_CHANGED
    assert shelf.names() == ()


@pytest.mark.parametrize(
    "archive",
    [
        b"no zip archive",
        archive_of({"rec.onnx": RECOGNISER}),
        archive_of({"det.onnx": DETECTOR, "again/det.onnx": DETECTOR, "rec.onnx": RECOGNISER}),
        archive_of({"det.onnx/": b"", "rec.onnx": RECOGNISER}),
        archive_of({"det.onnx": DETECTOR, "rec.onnx": RECOGNISER})[:-30],
        archive_of({"det.onnx": DETECTOR, "rec.onnx": RECOGNISER}).replace(b"det.onnx", b"det.onny", 1),
    ],
    ids=["not-a-zip", "missing", "twice", "a-folder", "truncated", "inconsistent"],
)
def test_unusable_archive_is_invalid(tmp_path: Path, shelf: Shelf, archive: bytes) -> None:
    """An archive without exactly the two files, or that cannot be read, raises MODEL_INVALID and places nothing."""
    (tmp_path / "little.zip").write_bytes(archive)
    with pytest.raises(FrsError) as caught:
        put(archived(archive), shelf, tmp_path / "little.zip")
    assert caught.value.reason is Reason.MODEL_INVALID
    assert shelf.names() == ()


def test_file_that_unpacks_too_large_is_refused(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that grows beyond what a model can be stops while it is unpacked."""
    monkeypatch.setattr("frs.embed.install.MAX_FILE_BYTES", 5000)
    archive = archive_of(USUAL)
    (tmp_path / "little.zip").write_bytes(archive)
    with pytest.raises(FrsError, match="larger"):
        put(archived(archive), shelf, tmp_path / "little.zip")


def test_failed_installation_keeps_the_old_pack(tmp_path: Path, shelf: Shelf) -> None:
    """When a new installation fails the pack that was there still loads."""
    archive = archive_of(USUAL)
    (tmp_path / "little.zip").write_bytes(archive)
    put(archived(archive), shelf, tmp_path / "little.zip")
    before = shelf.load("little")
    (tmp_path / "little.zip").write_bytes(b"broken")
    with pytest.raises(FrsError):
        put(archived(b"broken"), shelf, tmp_path / "little.zip")
    assert shelf.load("little") == before


def test_absent_file_at_the_publisher_fails(published: tuple[Path, str], shelf: Shelf) -> None:
    """A publisher that no longer has the file is named with its answer."""
    with pytest.raises(FrsError, match="404") as caught:
        put(archived(b"x", published[1]), shelf)
    assert caught.value.reason is Reason.MODEL_DOWNLOAD_FAILED
