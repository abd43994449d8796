"""The provider that runs is the one that is named, and graphs run as they were exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from frs.embed.graphs import fixed_rows, read_graph
from frs.embed.sessions import CPU, CUDA, candidates, cuda_options, intra_threads, open_network, open_rows_network
from frs.embed.starter import starter_sources
from frs.errors import FrsError, Reason
from tests.embed.conftest import embed_settings

has_cuda = CUDA in onnxruntime.get_available_providers()
SIDE = 8


def graph(path: Path, rows: int | str = "n", *, hard: bool = False, weights_as_inputs: bool = False) -> Path:
    """Write a graph from (rows, 3, 8, 8) to (rows, 4); ``hard`` writes the batch size into a node as well."""
    rng = np.random.default_rng(3)
    weight = numpy_helper.from_array(rng.normal(size=(3 * SIDE * SIDE, 4)).astype(np.float32), "weight")
    shape = [rows if hard and isinstance(rows, int) else 0, 3 * SIDE * SIDE]
    to = numpy_helper.from_array(np.array(shape, dtype=np.int64), "shape")
    nodes = [
        helper.make_node("Reshape", ["pixels", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["out"]),
    ]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [rows, 3, SIDE, SIDE])]
    if weights_as_inputs:
        inputs += [
            helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3 * SIDE * SIDE, 4]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, [2]),
        ]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [rows, 4])]
    made = helper.make_graph(nodes, "test", inputs, outputs, [weight, to])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def pixels(rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(rows).uniform(0, 255, (rows, 3, SIDE, SIDE)).astype(np.float32)


def reason_of(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason


def test_processor_runs_by_default(tmp_path: Path) -> None:
    """Without CUDA the CPU runs, and is named."""
    network = open_network(graph(tmp_path / "g.onnx"), embed_settings(), available=[CPU])
    assert network.provider == CPU
    assert network.input_shape == (None, 3, SIDE, SIDE)
    assert network.run(pixels(5))[0].shape == (5, 4)


@pytest.mark.skipif(has_cuda, reason="CUDA is there")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_that_does_not_start_is_not_claimed(tmp_path: Path) -> None:
    """A runtime that falls back silently is found out: the CPU is named, and refused where a GPU is required."""
    path = graph(tmp_path / "g.onnx")
    assert open_network(path, embed_settings(), available=[CUDA, CPU]).provider == CPU
    required = embed_settings(require_gpu=True)
    assert reason_of(lambda: open_network(path, required, available=[CUDA, CPU])) is Reason.GPU_REQUIRED


@pytest.mark.skipif(has_cuda, reason="CUDA is there")
def test_required_gpu_refuses_the_processor(tmp_path: Path) -> None:
    """With ``require_gpu`` nothing starts on a machine without one."""
    path = graph(tmp_path / "g.onnx")
    assert reason_of(lambda: open_network(path, embed_settings(require_gpu=True))) is Reason.GPU_REQUIRED


@pytest.mark.skipif(not has_cuda, reason="needs CUDA")
def test_cuda_runs_where_it_works(tmp_path: Path) -> None:
    """Where CUDA works it runs the graph, is named, and gives what the CPU gives."""
    path = graph(tmp_path / "g.onnx")
    device = open_network(path, embed_settings(require_gpu=True, gpu_memory_mib=512))
    assert device.provider == CUDA
    processor = open_network(path, embed_settings(device="cpu"))
    assert np.allclose(device.run(pixels(3))[0], processor.run(pixels(3))[0], rtol=1e-2, atol=1)


def test_providers_asked_for_follow_the_settings() -> None:
    """The device and ``require_gpu`` decide which providers are tried."""
    both = [CUDA, CPU]
    first = candidates(embed_settings(), both)
    assert [len(providers) for providers in first] == [2, 1]
    assert candidates(embed_settings(device="cpu"), both) == [[CPU]]
    assert candidates(embed_settings(), [CPU]) == [[CPU]]
    assert candidates(embed_settings(device="cpu", require_gpu=True), both) == []
    assert len(candidates(embed_settings(require_gpu=True), both)) == 1


def test_cuda_options_come_from_the_settings() -> None:
    """The memory cap is given in bytes and only when set; the cuDNN search by its name."""
    assert cuda_options(embed_settings(gpu_memory_mib=2048, cudnn_search="EXHAUSTIVE")) == {
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "arena_extend_strategy": "kSameAsRequested",
        "gpu_mem_limit": "2147483648",
    }
    assert "gpu_mem_limit" not in cuda_options(embed_settings())


def test_threads_default_to_the_cores_of_the_process() -> None:
    """0 threads means one per core that this process may use."""
    assert intra_threads(embed_settings(threads=3)) == 3
    assert intra_threads(embed_settings(threads=0)) >= 1


def test_weights_among_the_inputs_are_taken_off(tmp_path: Path) -> None:
    """A graph that lists its weights as inputs computes the same without them."""
    old, new = graph(tmp_path / "old.onnx", weights_as_inputs=True), graph(tmp_path / "new.onnx")
    assert [value.name for value in read_graph(old).graph.input] == ["pixels"]
    assert np.array_equal(
        open_network(old, embed_settings()).run(pixels(4))[0], open_network(new, embed_settings()).run(pixels(4))[0]
    )


def test_centerface_computes_the_same_without_weights_among_its_inputs() -> None:
    """The published CenterFace graph, with 194 weights among its inputs, gives the same outputs without them."""
    source = starter_sources()[0]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    published = onnxruntime.InferenceSession(str(source), sess_options=options, providers=[CPU])
    assert len(onnx.load_model(str(source)).graph.input) > 100
    batch = np.random.default_rng(0).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    theirs = published.run(None, {"input.1": batch})
    ours = open_network(source, embed_settings()).run(batch)
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rows", [1, 2])
def test_fixed_batch_is_freed_where_rows_stay_apart(tmp_path: Path, rows: int) -> None:
    """A graph exported for a fixed batch runs in batches of any size when that changes nothing."""
    path = graph(tmp_path / "g.onnx", rows)
    assert fixed_rows(read_graph(path)) == rows
    network = open_rows_network(path, embed_settings())
    assert network.rows is None
    free = open_network(graph(tmp_path / "free.onnx"), embed_settings())
    assert np.allclose(network.run_rows(pixels(7)), free.run(pixels(7))[0], rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 2])
def test_fixed_batch_is_kept_where_a_node_fixes_it(tmp_path: Path, rows: int) -> None:
    """A graph with the batch size written into it still takes any number of rows, in runs of its size."""
    network = open_rows_network(graph(tmp_path / "g.onnx", rows, hard=True), embed_settings())
    assert network.rows == rows
    free = open_network(graph(tmp_path / "free.onnx"), embed_settings())
    assert np.allclose(network.run_rows(pixels(7)), free.run(pixels(7))[0], rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 4, 7, 9])
def test_padded_runs_give_the_same_rows(tmp_path: Path, rows: int) -> None:
    """Padding every run to one shape changes no row's result."""
    path = graph(tmp_path / "g.onnx")
    padded, plain = open_rows_network(path, embed_settings(), rows=4), open_network(path, embed_settings())
    assert padded.rows == 4
    assert np.allclose(padded.run_rows(pixels(rows)), plain.run(pixels(rows))[0], rtol=1e-4)


def test_graphs_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """No file, no graph, weights elsewhere, several inputs: each is named before anything runs."""
    missing, text, outside, double = (tmp_path / name for name in ("no.onnx", "text.onnx", "out.onnx", "two.onnx"))
    text.write_bytes(b"this is no graph")
    model = onnx.load_model(str(graph(tmp_path / "g.onnx")))
    onnx.external_data_helper.convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    outside.write_bytes(model.SerializeToString())
    model = onnx.load_model(str(tmp_path / "g.onnx"))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    double.write_bytes(model.SerializeToString())
    assert reason_of(lambda: read_graph(missing)) is Reason.MODEL_NOT_FOUND
    for path in (text, outside, double):
        with pytest.raises(FrsError) as caught:
            open_network(path, embed_settings())
        assert caught.value.reason is Reason.MODEL_INVALID


def test_failure_in_a_run_is_an_error_of_the_catalogue(tmp_path: Path) -> None:
    """What the runtime raises reaches nobody as it is."""
    network = open_network(graph(tmp_path / "g.onnx"), embed_settings())
    assert reason_of(lambda: network.run(np.zeros((1, 5, 5, 5), np.float32))) is Reason.INTERNAL


def test_runtime_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Loading a graph with shapes that the runtime warns of leaves standard error clean."""
    open_network(starter_sources()[0], embed_settings())
    assert capfd.readouterr().err == ""
