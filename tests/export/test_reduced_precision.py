"""fp16 and INT8 engines: close to fp32, different from it, and what stays fp32 does."""

import numpy as np
import onnx
import pytest
import torch

from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.export.build import build_engines
from dpa.export.variants import ReducedNetwork, choose_variants

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")


@pytest.fixture(scope="module")
def built(network, frames, tmp_path_factory):
    out = tmp_path_factory.mktemp("reduced") / "engines"
    variants = choose_variants(["onnx"], ["fp16", "int8"])
    limits = {"fp16": 1e9, "int8": 1e9}  # random weights: nothing says how far INT8 may be off
    report = build_engines(
        network,
        out,
        variants,
        frames[12:],
        frames[:12],
        source="test",
        graphs=["pose", "decode", "regress"],
        limits_mm=limits,
    )
    return out, report


def test_reduced_torch_network_is_near_and_not_the_same(network, frames) -> None:
    reduced = ReducedNetwork(network, torch.float16)
    code, reference = reduced.encode(frames[:, :, :16, :16])[1], network.encode(frames[:, :, :16, :16])[1]
    error = (code - reference).norm() / reference.norm()
    assert 1e-5 < error < 5e-3
    assert code.dtype == torch.float32
    torch.testing.assert_close(reduced.regress(reference), network.regress(reference))
    assert next(network.encoder.parameters()).dtype == torch.float32, "the original was changed"


def test_engines_are_near_fp32(built, network, frames) -> None:
    out, report = built
    names = {(entry.graph, entry.precision): entry for entry in report.shipped}
    # φ alone would be the fp32 engine under another name
    assert set(names) == {(g, p) for g in ("pose", "decode") for p in ("fp16", "int8")}
    scale = float(network.predict(frames).norm(dim=-1).mean())
    for (_, precision), entry in names.items():
        assert 0 < entry.parity.mean_mm < scale * (0.005 if precision == "fp16" else 0.1)
    assert {path.suffix for path in out.iterdir()} == {".onnx", ".json"}
    assert not (out / "pose.fp32.onnx").exists(), "fp32 was only a step on the way"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("batch", [1, 3, 17])
def test_odd_batches_agree_with_each_other(built, frames, precision: str, batch: int) -> None:
    session = EngineFolder(built[0]).session("pose", precision=precision)
    alone = torch.cat([session.run(frame[None])["pose"] for frame in frames[:batch]])
    torch.testing.assert_close(session.run(frames[:batch])["pose"], alone, rtol=1e-3, atol=0.05)


def operators(path, kind: str) -> list[onnx.NodeProto]:
    return [node for node in onnx.load(path).graph.node if node.op_type == kind]


def test_int8_is_u8_activations_and_s8_weights_per_channel(built) -> None:
    path = built[0] / "pose.int8.onnx"
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    sources = {name: node for node in model.graph.node for name in node.output}
    quantised = [node for node in operators(path, "Conv") if node.input[1] in sources]
    assert quantised
    for node in quantised:
        activation, weight = (sources[name] for name in node.input[:2])
        assert (activation.op_type, weight.op_type) == ("DequantizeLinear", "DequantizeLinear")
        assert constants[activation.input[2]].data_type == onnx.TensorProto.UINT8
        stored = constants[weight.input[0]]
        assert stored.data_type == onnx.TensorProto.INT8
        assert list(constants[weight.input[1]].dims) == [stored.dims[0]], "one scale for each channel"


def test_the_localiser_and_the_first_convolution_are_not_quantised(built, network, frames) -> None:
    session = EngineFolder(built[0]).session("pose", precision="int8")
    torch.testing.assert_close(session.run(frames)["box"], network.localise(frames), rtol=1e-5, atol=1e-5)
    weights = {node.input[1] for node in operators(built[0] / "pose.int8.onnx", "Conv")}
    constants = {tensor.name for tensor in onnx.load(built[0] / "pose.int8.onnx").graph.initializer}
    in_localiser = sum(isinstance(part, torch.nn.Conv2d) for part in network.localiser.modules())
    assert len(weights & constants) == in_localiser + 1


def test_fp16_samples_in_fp32(built) -> None:
    path = built[0] / "pose.fp16.onnx"
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path))
    types = {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}
    types |= {value.name: value.type.tensor_type.elem_type for value in inferred.graph.input}
    single, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    sampled = [node.input[0] for node in operators(path, "Gather") if node.input[0] in types]
    assert "frames" in sampled and len(sampled) == 4, "two rows for the thumbnail, two for the crop"
    assert {types[name] for name in sampled} == {single}
    # the localiser in fp32, the encoder in fp16
    assert {types[node.input[0]] for node in operators(path, "Conv")} == {single, half}


def test_calibration_decides_the_ranges(network, frames, tmp_path, built) -> None:
    """Dark calibration frames leave no room for bright ones: the ranges must come from the frames."""
    report = build_engines(
        network,
        tmp_path / "dark",
        choose_variants(["onnx"], ["int8"]),
        frames[12:],
        frames[:12] * 0.05 + 0.475,
        source="test",
        graphs=["pose"],
        limits_mm={"int8": 1e9},
    )
    (good,) = [e for e in built[1].shipped if (e.graph, e.precision) == ("pose", "int8")]
    assert report.shipped[0].parity.mean_mm > 2 * good.parity.mean_mm
    assert np.isfinite(report.shipped[0].parity.mean_mm)
