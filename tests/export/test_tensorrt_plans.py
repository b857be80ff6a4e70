"""Real plans of every graph, built without a GPU by tensorrt_rtx, and read back as far as a machine
without a driver can."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from dpa.engine.sessions.engine_folder import EngineFolder, checked_plan
from dpa.engine.sessions.errors import ProviderUnavailable, RefusedModel
from dpa.engine.sessions.manifest import checked_bytes
from dpa.engine.sessions.tensorrt_plans import PlanCache, build_plan, import_tensorrt, new_logger, this_place
from dpa.export.build import build_engines
from dpa.export.graphs import GRAPHS, build_graph
from dpa.export.variants import choose_variants
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.regressor import Regressor

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
needs_rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs the extra 'trt-rtx'")
without_driver = pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")

BUCKETS = (2, 3)
GENEROUS = dict.fromkeys(("fp32", "fp16", "bf16", "int8"), 1e9)
"""The tiny network's weights are random: INT8 on it says nothing about millimetres."""


@pytest.fixture(scope="module")
def built(network, frames, tmp_path_factory):
    """(folder, report, plan cache's folder) of every graph in fp32."""
    root = tmp_path_factory.mktemp("plans")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DPA_CACHE", str(root / "cache"))
        report = engines(network, frames, root / "engines", ["fp32"], list(GRAPHS))
    return root / "engines", report, root / "cache" / "plans"


def engines(network, frames, out: Path, precisions: list[str], graphs: list[str]):
    return build_engines(
        network,
        out,
        choose_variants(["tensorrt"], precisions),
        frames[:4],
        frames[4:8],
        source="tiny",
        graphs=graphs,
        buckets=BUCKETS,
        limits_mm=GENEROUS,
    )


@needs_rtx
@without_driver
def test_a_plan_for_every_graph(built) -> None:
    folder, report, _ = built
    assert [entry.graph for entry in report.shipped] == list(GRAPHS) and not report.rejected
    assert not report.refused
    manifest = EngineFolder(folder).manifest
    for entry in manifest.engines:
        plan = checked_bytes(folder, manifest, entry.plan.file)
        assert len(plan) > 1000 and plan != checked_bytes(folder, manifest, entry.file)
        assert entry.buckets == entry.plan.identity.buckets == BUCKETS
        assert entry.plan.identity.place == this_place() and entry.plan.identity.place.gpu == "any"
        assert (entry.parity_on, entry.device) == ("onnxruntime", "cpu"), "nobody ran the plan"
        assert entry.parity.mean_mm < 0.01


@needs_rtx
@without_driver
def test_fp16_and_s8s8_are_networks_that_tensorrt_takes(network, frames, tmp_path, monkeypatch) -> None:
    """Strongly typed: what precision they compute in is read from the ONNX file alone."""
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    report = engines(network, frames, tmp_path / "engines", ["fp16", "int8"], ["encode"])
    assert [entry.precision for entry in report.shipped] == ["fp16", "int8"]
    files = {path.name for path in (tmp_path / "engines").iterdir()}
    assert {"encode.fp16.plan", "encode.s8s8.plan"} <= files


@needs_rtx
@without_driver
def test_the_plan_is_the_one_built_here(built) -> None:
    folder, report, cache = built
    manifest = EngineFolder(folder).manifest
    for entry in report.shipped:
        plan = checked_plan(folder, manifest, entry, this_place(), PlanCache(cache))
        assert hashlib.sha256(plan).hexdigest() == manifest.files[entry.plan.file].sha256


@needs_rtx
@without_driver
def test_read_back_until_the_driver_is_asked_for(built) -> None:
    """TensorRT recognises its own plan, and stops where it needs CUDA; of other bytes it says so at once."""
    trt = import_tensorrt()
    folder, report, _ = built
    manifest = EngineFolder(folder).manifest
    logger, errors = new_logger(trt)
    runtime = trt.Runtime(logger)
    for entry in report.shipped:
        errors.clear()
        assert runtime.deserialize_cuda_engine(checked_bytes(folder, manifest, entry.plan.file)) is None
        assert "cuda" in " ".join(errors).lower(), errors


@needs_rtx
@without_driver
def test_a_session_needs_a_gpu(built) -> None:
    folder = EngineFolder(built[0])
    with pytest.raises(ProviderUnavailable, match="GPU"):
        folder.session("pose", backend="tensorrt", device="cuda")
    with pytest.raises(ProviderUnavailable, match="cuda:N"):
        folder.session("pose", backend="tensorrt", device="cpu")


@needs_rtx
@without_driver
def test_the_cache_answers_the_second_time(built, network, frames, monkeypatch) -> None:
    _, report, cache = built
    monkeypatch.setattr(
        "dpa.engine.sessions.tensorrt_plans.build_plan", lambda *_: pytest.fail("built again")
    )
    entry = next(entry for entry in report.shipped if entry.graph == "regress")
    assert PlanCache(cache).build(entry.plan.identity, b"not looked at")


@needs_rtx
@without_driver
def test_a_stale_plan_is_rebuilt_from_its_onnx(built, tmp_path: Path) -> None:
    """As after an update of TensorRT: the listed version is another, the ONNX file is the same."""
    folder, report, _ = built
    entry = next(entry for entry in report.shipped if entry.graph == "regress")
    old = entry.plan.identity.place.model_copy(update={"version": "0.9"})
    identity = entry.plan.identity.model_copy(update={"place": old})
    stale = entry.model_copy(update={"plan": entry.plan.model_copy(update={"identity": identity})})
    cache = PlanCache(tmp_path)
    plan = checked_plan(folder, EngineFolder(folder).manifest, stale, this_place(), cache, rebuild=True)
    assert len(plan) > 1000 and cache.plan(entry.plan.identity) == plan


@needs_rtx
@without_driver
@pytest.mark.parametrize("pooled", [False, True], ids=["small", "paper"])
def test_a_plan_of_the_attacks_step(network, frames, tmp_path: Path, monkeypatch, pooled: bool) -> None:
    """Without pooling, as the small preset is, and with it: TensorRT has no pooling that tells where the
    largest pixel was."""
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    if not pooled:
        trunk = network.config.encoder.model_copy(update={"stem_pool": False, "strides": (4,)})
        config = network.config.model_copy(update={"encoder": trunk, "localiser": trunk})
        network = DisentangledNetwork(config, "nsd")
        network.regressor = Regressor(config)
        network.eval().requires_grad_(False)
    report = engines(network, frames, tmp_path / "engines", ["fp32"], ["step"])
    assert [entry.plan.file for entry in report.shipped] == ["step.fp32.plan"]
    assert report.shipped[0].parity.max_mm < 0.1


@needs_rtx
def test_what_the_parser_refuses_is_named() -> None:
    node = onnx.helper.make_node("Disentangle", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(name, 1, ["b", 2]) for name in "xy")
    graph = onnx.helper.make_graph([node], "odd", [x], [y])
    with pytest.raises(RefusedModel, match="refuses the model"):
        build_plan(onnx.helper.make_model(graph).SerializeToString(), {"x": (2,)}, [1])


def test_s8s8_is_symmetric_and_leaves_biases_alone(network, frames, tmp_path: Path) -> None:
    from dpa.export.quantise import quantise
    from dpa.export.variants import write_fp32

    graph = build_graph(network, "encode")
    fp32 = write_fp32(network, graph, tmp_path, frames)
    made = onnx.load(quantise(network, graph, fp32, tmp_path / "q.onnx", frames[:4], "S8S8"))
    values = {one.name: onnx.numpy_helper.to_array(one) for one in made.graph.initializer}
    quantisers = [n for n in made.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert quantisers
    for node in quantisers:
        zero = values[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any()
    assert not any(value.dtype == np.int32 for value in values.values()), "a quantised bias"
