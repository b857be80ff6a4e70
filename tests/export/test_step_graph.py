"""The attack's step in an engine folder: shipped when its gradient is eager's, and not otherwise."""

from pathlib import Path

import pytest
import torch

from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.export import build
from dpa.export.build import build_engines, measure_step, write_step
from dpa.export.graphs import UnknownGraph
from dpa.export.parity import ParityError
from dpa.export.variants import choose_variants, input_sizes

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")


@pytest.fixture(scope="module")
def written(network, frames, tmp_path_factory) -> Path:
    return write_step(network, frames, tmp_path_factory.mktemp("step"))


def test_it_is_shipped_with_its_figures(network, frames, written, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(build, "gradient_onnx", lambda _: written.read_bytes())
    variants = choose_variants(["onnx"], ["fp32", "int8"])
    out = tmp_path / "engines"
    report = build_engines(network, out, variants, frames, frames, source="tiny", graphs=["step"])
    (entry,) = report.shipped
    assert (entry.graph, entry.precision, entry.file) == ("step", "fp32", "step.fp32.onnx")
    assert entry.parity.samples == 12 and entry.parity.max_mm < 0.1
    assert entry.parity.code_error["gradient: 1 - cosine"] < 0.01
    session = EngineFolder(out).session("step")
    assert [spec.name for spec in session.outputs] == ["error", "gradient"]


class Turned(OnnxRuntimeSession):
    """The right error and the gradient of another sample, as when a batch was baked in."""

    def run(self, feeds, *more):
        made = super().run(feeds, *more)
        return made | {"gradient": made["gradient"].roll(1, dims=0)}


def test_a_wrong_gradient_is_not_admitted(network, frames, written) -> None:
    parity, agreement = measure_step(network, Turned(written.read_bytes()), frames, limit_mm=1.0)
    assert parity.mean_mm < 0.1 and not agreement.admitted
    assert "1 - cosine" in str(ParityError("step.fp32.onnx", parity))


def test_input_sizes_are_those_of_the_file(frames, written) -> None:
    sizes = input_sizes(written.read_bytes(), (1, 1))
    assert sizes["background"] == tuple(frames.shape[1:]) and sizes["box"] == (4,)
    assert list(sizes) == ["h_a", "prefix", "mask", "box", "background", "reference"]


def test_an_unknown_graph_is_refused_before_anything_is_written(network, tmp_path: Path) -> None:
    with pytest.raises(UnknownGraph, match="step"):
        build_engines(
            network, tmp_path / "e", [], torch.zeros(1), torch.zeros(1), source="", graphs=["dream"]
        )
    assert not (tmp_path / "e").exists()
