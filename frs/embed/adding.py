"""Makes a pack of a folder of ONNX files that has no manifest, such as one in InsightFace's layout.

The detector and the recogniser are found by their graphs (:mod:`frs.embed.model_graphs`), tried once on an empty
picture, and copied: the folder they came from is neither changed nor needed afterwards. Every other file is left
out and named in the answer. A folder that has a manifest already is verified and copied as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort

from frs.clock import Clock
from frs.embed.catalogue import find_publisher
from frs.embed.manifest import (
    MANIFEST,
    DetectorKind,
    Profile,
    RecogniserKind,
    digest_file,
    is_pack_name,
    write_manifest,
)
from frs.embed.model_graphs import ARCFACE_SIDE, ModelGraph, read_graph
from frs.embed.pack import Pack, load_pack
from frs.embed.shelf import Shelf, storage_errors
from frs.errors import FrsError, Reason

UNSTATED = "Not stated: whoever added this pack answers for the right to use its files."


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person says about the folder; what is empty is found out."""

    name: str = ""
    """Name of the pack; the folder's when empty."""
    detector: str = ""
    """File name of the detector, where the folder has several."""
    recogniser: str = ""
    licence: str = ""
    licence_url: str = ""
    profile: Profile = "plain"


@dataclass(frozen=True, slots=True)
class Added:
    """A pack made from a folder."""

    pack: Pack
    ignored: tuple[tuple[str, str], ...]
    """File names that were left out, and why."""


def add_folder(source: Path, shelf: Shelf, clock: Clock, choice: Choice) -> Added:
    """Make a pack of ``source`` and place it on the shelf.

    Raises ``MODEL_NOT_FOUND`` when there is no such folder, ``MODEL_INVALID`` when it has no detector or no
    recogniser, or several and no choice, and ``MODEL_CHANGED`` when it has a manifest that its files differ from.
    """
    if not source.is_dir():
        raise FrsError(Reason.MODEL_NOT_FOUND, f"there is no folder {source}")
    name = choice.name or source.resolve().name.lower()
    if not is_pack_name(name):
        raise FrsError(Reason.MODEL_INVALID, f"{name!r} cannot name a pack; choose a name of a-z, 0-9, '.', '_', '-'")
    if (source / MANIFEST).is_file():
        return _copy_pack(source, shelf, choice)

    with storage_errors():
        files = sorted(path for path in source.iterdir() if path.suffix.lower() == ".onnx" and path.is_file())
        graphs = [read_graph(path) for path in files]
    detector = _choose(graphs, "detector", choice.detector, source)
    recogniser = _choose(graphs, "recogniser", choice.recogniser, source)
    dimension = _try_models(detector, recogniser)
    with storage_errors():
        published = find_publisher(digest_file(detector.path)[0], digest_file(recogniser.path)[0])
    with storage_errors(), shelf.placing(name) as folder:
        for graph in (detector, recogniser):
            shutil.copyfile(graph.path, folder / graph.path.name)
        write_manifest(
            folder,
            name=name,
            detector=(detector.path.name, cast(DetectorKind, detector.kind)),
            recogniser=(recogniser.path.name, cast(RecogniserKind, recogniser.kind)),
            dimension=dimension,
            input_size=ARCFACE_SIDE,
            licence=choice.licence or (published.licence if published else UNSTATED),
            licence_url=choice.licence_url or (published.licence_url if published else ""),
            profile=choice.profile,
            made_at=clock.now(),
        )
    ignored = tuple((g.path.name, g.why) for g in graphs if g not in (detector, recogniser))
    return Added(shelf.load(name), ignored)


def _copy_pack(source: Path, shelf: Shelf, choice: Choice) -> Added:
    if choice != Choice(name=choice.name):
        raise FrsError(Reason.MODEL_INVALID, f"{source} has a manifest: it is added as it is, without other choices")
    pack = load_pack(source)
    if choice.name and choice.name != pack.name:
        raise FrsError(Reason.MODEL_INVALID, f"{source} is the pack {pack.name}; it keeps that name")
    kept = (pack.detector.name, pack.recogniser.name, MANIFEST)
    with storage_errors(), shelf.placing(pack.name) as folder:
        for file in kept:
            shutil.copyfile(source / file, folder / file)
    ignored = tuple((p.name, "the manifest does not name it") for p in sorted(source.iterdir()) if p.name not in kept)
    return Added(shelf.load(pack.name), ignored)


def _choose(graphs: Sequence[ModelGraph], role: str, wanted: str, source: Path) -> ModelGraph:
    found = [graph for graph in graphs if graph.role == role]
    if wanted:
        chosen = [graph for graph in found if graph.path.name == wanted]
        if not chosen:
            why = next((g.why for g in graphs if g.path.name == wanted), "there is no such file")
            raise FrsError(Reason.MODEL_INVALID, f"{wanted} is not a {role} that can be used: {why}", file=wanted)
        return chosen[0]
    if not found:
        seen = "; ".join(f"{graph.path.name}: {graph.why}" for graph in graphs) or "no .onnx file"
        raise FrsError(Reason.MODEL_INVALID, f"no {role} is in {source} ({seen})")
    if len(found) > 1:
        names = ", ".join(graph.path.name for graph in found)
        raise FrsError(Reason.MODEL_INVALID, f"{source} has several {role}s ({names}): choose one with --{role}")
    return found[0]


def _try_models(detector: ModelGraph, recogniser: ModelGraph) -> int:
    """Run both once on an empty picture; return the embedding's dimension."""
    landmarks = {"scrfd": 10, "yunet": 10}[detector.kind]
    if all(output.shape[-1] != landmarks for output in _run(detector, 640)):
        raise FrsError(Reason.MODEL_INVALID, f"{detector.path.name} gives no landmarks", file=detector.path.name)
    embedding = _run(recogniser, ARCFACE_SIDE)[0]
    if embedding.ndim != 2 or embedding.shape[0] != 1:
        message = f"{recogniser.path.name} does not give one embedding per face"
        raise FrsError(Reason.MODEL_INVALID, message, file=recogniser.path.name)
    return int(embedding.shape[1])


def _run(graph: ModelGraph, side: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong with a file is said by the error below
    try:
        session = ort.InferenceSession(str(graph.path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        outputs: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = session.run(
            None, {name: np.zeros((1, 3, side, side), np.float32)}
        )
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        message = f"{graph.path.name} does not run: {error}"
        raise FrsError(Reason.MODEL_INVALID, message, file=graph.path.name) from error
    return outputs
