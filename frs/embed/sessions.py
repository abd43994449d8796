"""ONNX Runtime sessions: which provider runs, with what options, and the truth about it.

The runtime falls back to the CPU silently when CUDA does not start. So the provider named here is the one that
the session reports after a first run, and ``require_gpu`` refuses anything else (``GPU_REQUIRED``).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from frs.embed.graphs import fixed_rows, free_rows, read_graph, serialise
from frs.errors import FrsError, Reason
from frs.settings import EmbedSettings

# Read when the runtime's library is loaded: nothing here reports to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
Floats = npt.NDArray[np.float32]
Provider = str | tuple[str, dict[str, str]]

_ERRORS_ONLY = 3
# What a first run uses for the sides and the batch that a graph leaves free.
_TRIAL_SIDE, _TRIAL_ROWS = 160, 1


class Network:
    """One graph, ready to run. Safe in threads: the runtime lets sessions run concurrently."""

    def __init__(self, session: Any, rows: int | None) -> None:
        self._session = session
        value = session.get_inputs()[0]
        self._input: str = value.name
        self._outputs: list[str] = [output.name for output in session.get_outputs()]
        self.input_shape: tuple[int | None, ...] = tuple(d if isinstance(d, int) else None for d in value.shape)
        """Rows, channels, height and width; None where the graph leaves one free."""
        self.rows = rows
        """Rows that every run must have (the graph's, or chosen so that an accelerator sees one shape), or None."""

    @property
    def session(self) -> Any:
        """The runtime's own session."""
        return self._session

    @property
    def provider(self) -> str:
        """The provider that runs the graph."""
        return str(self._session.get_providers()[0])

    @property
    def output_count(self) -> int:
        """How many outputs the graph has."""
        return len(self._outputs)

    def run(self, batch: Floats) -> list[Floats]:
        """Run a batch as it is, (n, channels, height, width), and return the outputs in the graph's order."""
        try:
            result: list[Floats] = self._session.run(self._outputs, {self._input: batch})
        except Exception as error:  # the runtime's exceptions share no public base class
            raise FrsError(Reason.INTERNAL, f"the model did not run on {self.provider}: {error}") from error
        return result

    def run_rows(self, batch: Floats) -> Floats:
        """Run any number of rows through a graph of one output, (n, d), in runs of :attr:`rows` when that is set."""
        if self.rows is None or len(batch) == self.rows:
            return self.run(batch)[0]
        parts = []
        for start in range(0, len(batch), self.rows):
            part = batch[start : start + self.rows]
            filled = np.zeros((self.rows, *batch.shape[1:]), dtype=np.float32)
            filled[: len(part)] = part
            parts.append(self.run(filled)[0][: len(part)])
        return np.concatenate(parts)


def open_network(path: Path, settings: EmbedSettings, available: Sequence[str] | None = None) -> Network:
    """Open a graph on the provider that the settings ask for and that works.

    ``available`` stands in for the providers that the runtime was built with. Raises ``MODEL_INVALID`` for a
    graph that does not run and ``GPU_REQUIRED`` when ``require_gpu`` is set and CUDA does not run it.
    """
    model = read_graph(path)
    network, _ = _open(model, path, settings, available)
    network.rows = fixed_rows(model)
    return network


def open_rows_network(path: Path, settings: EmbedSettings, rows: int | None = None) -> Network:
    """Open a graph that maps rows to rows, with a free batch size where the graph allows it.

    A graph that declares a fixed batch is freed and tried: when its rows come out as they do one by one it runs
    in batches, else with the batch it declares. ``rows`` pads every run to that many.
    """
    model = read_graph(path)
    network, providers = _open(model, path, settings, None)
    network.rows = fixed_rows(model)
    if network.rows is not None:
        network = _freed(network, model, path, providers, settings) or network
    network.rows = network.rows or rows
    return network


def candidates(settings: EmbedSettings, available: Sequence[str]) -> list[list[Provider]]:
    """Return the provider lists to try, best first, for the runtime's ``providers`` argument."""
    wanted: list[list[Provider]] = []
    if settings.device != "cpu" and CUDA in available:
        wanted.append([(CUDA, cuda_options(settings)), CPU])
    if not settings.require_gpu:
        wanted.append([CPU])
    return wanted


def cuda_options(settings: EmbedSettings) -> dict[str, str]:
    """Return the CUDA provider's options; names and values as ONNX Runtime documents them."""
    options = {
        "cudnn_conv_algo_search": settings.cudnn_search,
        # Doubling the arena, the default, overshoots a cap and leaves the rest of the device with less.
        "arena_extend_strategy": "kSameAsRequested",
    }
    if settings.gpu_memory_mib:
        options["gpu_mem_limit"] = str(settings.gpu_memory_mib * 1024 * 1024)
    return options


def intra_threads(settings: EmbedSettings) -> int:
    """Return how many threads one run uses: as set, or one per core this process may use."""
    return settings.threads or len(os.sched_getaffinity(0))


def _open(
    model: onnx.ModelProto, path: Path, settings: EmbedSettings, available: Sequence[str] | None
) -> tuple[Network, list[Provider]]:
    """Return a network on the best provider that works, and the list it was asked for with."""
    data = serialise(model, path)
    names = list(onnxruntime.get_available_providers() if available is None else available)
    for providers in candidates(settings, names):
        try:
            network = _start(data, providers, settings)
        except Exception as error:  # the runtime's exceptions share no public base class
            if providers == [CPU]:
                raise FrsError(Reason.MODEL_INVALID, f"{path} does not run: {error}") from error
        else:
            if network.provider == (CPU if providers == [CPU] else CUDA):
                return network, providers
    raise FrsError(Reason.GPU_REQUIRED, f"CUDA is required, but did not run {path.name} (the runtime offers {names})")


def _start(data: bytes, providers: list[Provider], settings: EmbedSettings) -> Network:
    """Start a session and run it once, because a provider may start and still not run."""
    if providers != [CPU]:
        # It prints what it cannot find; standard output belongs to commands.
        with contextlib.redirect_stdout(sys.stderr):
            onnxruntime.preload_dlls()
    network = Network(onnxruntime.InferenceSession(data, sess_options=_options(settings), providers=providers), None)
    network.run(_trial_input(network))
    return network


def _freed(
    fixed: Network, model: onnx.ModelProto, path: Path, providers: list[Provider], settings: EmbedSettings
) -> Network | None:
    """Return the network with its batch size freed, or None when its rows do not come out the same."""
    try:
        freed = _start(serialise(free_rows(model), path), providers, settings)
    except Exception:  # noqa: BLE001  # the runtime's exceptions share no public base class; this graph stays fixed
        return None
    return freed if _same_by_rows(fixed, freed) else None


def _options(settings: EmbedSettings) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_threads(settings)
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Pictures differ in size; planning memory for each shape costs more than it saves.
    options.enable_mem_pattern = False
    # Idle threads that spin take the cores from decoding and from other requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _trial_input(network: Network) -> Floats:
    shape = network.input_shape
    if len(shape) != 4:
        raise ValueError(f"the input has {len(shape)} dimensions; a picture has rows, channels, height and width")
    sides = [side or _TRIAL_SIDE for side in shape[2:]]
    return np.zeros((shape[0] or _TRIAL_ROWS, shape[1] or 3, *sides), dtype=np.float32)


def _same_by_rows(fixed: Network, freed: Network) -> bool:
    """Whether a freed graph gives two different rows what the graph with its declared batch gives them."""
    assert fixed.rows is not None
    shape = (2 * fixed.rows, *_trial_input(fixed).shape[1:])
    batch = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    try:
        together = freed.run(batch)[0]
    except FrsError:
        return False
    apart = fixed.run_rows(batch)
    return together.shape == apart.shape and bool(np.allclose(together, apart, rtol=1e-3, atol=1e-4))
