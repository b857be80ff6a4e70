"""Parity in millimetres against a NumPy computation of the same distances, and the limit that keeps an
engine from being shipped."""

import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dpa.bench.sessions import measure_sessions
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.protocol import TorchSession
from dpa.export.build import REPORT, build_engines
from dpa.export.graphs import GRAPHS, build_graph
from dpa.export.parity import LARGEST, ParityError, measure_parity, within_limit
from dpa.export.variants import UnsupportedVariant, choose_variants
from dpa.models.artefacts import NotOurs


class Shifted(TorchSession):
    """A session whose outputs are off by a constant, or not numbers at all."""

    def __init__(self, graph, name: str, by: float) -> None:
        super().__init__(graph.module, graph.inputs, graph.outputs)
        self.name, self.by = name, by

    def run(self, feeds, *more):
        made = super().run(feeds, *more)
        return made | {self.name: made[self.name] + self.by}


@pytest.mark.parametrize("name", list(GRAPHS))
def test_the_graph_itself_has_no_shift(network, frames, name: str) -> None:
    graph = build_graph(network, name)
    session = TorchSession(graph.module, graph.inputs, graph.outputs)
    parity = measure_parity(network, graph, session, frames, 1.0)
    assert (parity.mean_mm, parity.max_mm, parity.samples) == (0, 0, len(frames))
    assert set(parity.code_error) == {spec.name for spec in graph.outputs}


def test_a_shift_of_the_pose_is_its_length(network, frames) -> None:
    graph = build_graph(network, "pose")
    parity = measure_parity(network, graph, Shifted(graph, "pose", 2.0), frames, 1.0)
    # 2 mm along each axis: sqrt(12) mm for every joint of every sample
    assert parity.mean_mm == pytest.approx(12**0.5, rel=1e-4)
    assert parity.max_mm == pytest.approx(12**0.5, rel=1e-3)
    truth = network.predict(frames).double().numpy()
    assert parity.code_error["pose"] == pytest.approx(2 / np.sqrt(np.mean(truth**2)), rel=1e-4)
    assert not within_limit(parity)


def test_an_error_of_the_code_is_measured_through_the_regressor(network, frames) -> None:
    graph = build_graph(network, "encode")
    parity = measure_parity(network, graph, Shifted(graph, "h_p", 0.1), frames, 1.0)
    crops = network.crop(frames, network.localise(frames))
    code = network.encode(crops)[1]
    moved = (network.regress(code + 0.1) - network.regress(code)).double().numpy()
    shift = np.sqrt((moved**2).sum(axis=-1)).mean(axis=-1)
    assert parity.mean_mm == pytest.approx(shift.mean(), rel=1e-4)
    assert parity.p99_mm == pytest.approx(np.percentile(shift, 99), rel=1e-4)
    assert parity.max_mm == pytest.approx(shift.max(), rel=1e-4)


def test_an_error_of_the_appearance_code_alone_moves_no_pose(network, frames) -> None:
    graph = build_graph(network, "encode")
    parity = measure_parity(network, graph, Shifted(graph, "h_a", 0.1), frames, 1.0)
    assert parity.mean_mm == 0 and parity.code_error["h_a"] > 0


def test_a_painted_error_is_measured_through_the_encoder(network, frames) -> None:
    graph = build_graph(network, "decode")
    parity = measure_parity(network, graph, Shifted(graph, "rgb", 0.2), frames, 1.0)
    crops = network.crop(frames, network.localise(frames))
    rgb, mask = network.decode(*network.encode(crops))
    poses = [network.regress(network.encode(mask * c + (1 - mask) * crops)[1]) for c in (rgb, rgb + 0.2)]
    shift = (poses[1] - poses[0]).double().norm(dim=-1).mean(dim=-1)
    assert parity.mean_mm == pytest.approx(float(shift.mean()), rel=1e-3)
    assert parity.mean_mm > 0


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_not_a_number_fails_every_limit(network, frames, wrong: float) -> None:
    graph = build_graph(network, "pose")
    parity = measure_parity(network, graph, Shifted(graph, "pose", wrong), frames, 1e9)
    assert parity.mean_mm == LARGEST and not within_limit(parity)


@pytest.fixture(scope="module")
def built(network, frames, tmp_path_factory):
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    out = tmp_path_factory.mktemp("built") / "engines"
    variants = choose_variants(["onnx"], ["fp32"])
    report = build_engines(
        network, out, variants, frames[12:], frames[:12], source="test", graphs=list(GRAPHS)
    )
    return out, report


def test_an_exported_network_runs_from_its_folder(built, network, frames) -> None:
    out, report = built
    assert not report.rejected
    report.raise_rejected()
    folder = EngineFolder(out)
    assert {entry.graph for entry in folder.manifest.engines} == set(GRAPHS)
    made = folder.session("pose").run(frames[:5])["pose"]
    assert (made - network.predict(frames[:5])).norm(dim=-1).mean() < 0.01
    for entry in folder.manifest.engines:
        assert entry.parity.mean_mm < 0.01
        assert entry.parity.samples == 12
    assert set(folder.manifest.files) == {REPORT, *(f"{name}.fp32.onnx" for name in GRAPHS)}
    assert json.loads((out / REPORT).read_text()) == report.as_json()
    assert not [path for path in out.parent.iterdir() if path != out]


def test_over_the_limit_nothing_is_shipped_but_the_report(network, frames, tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    report = build_engines(
        network,
        tmp_path / "engines",
        choose_variants(["onnx"], ["fp32"]),
        frames,
        frames,
        source="test",
        graphs=["regress"],
        limits_mm={"fp32": -1.0},
    )
    with pytest.raises(ParityError, match="regress"):
        report.raise_rejected()
    assert {path.name for path in (tmp_path / "engines").iterdir()} == {REPORT, "manifest.json"}
    (row,) = json.loads((tmp_path / "engines" / REPORT).read_text())["rejected"]
    assert row["parity"]["limit_mm"] == -1 and row["parity"]["samples"] == len(frames)


def test_a_failed_build_leaves_what_was_there(built, network, frames, monkeypatch) -> None:
    out, _ = built
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr("dpa.export.build.measure_parity", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_engines(
            network, out, choose_variants(["onnx"], ["fp32"]), frames, frames, source="x", graphs=["regress"]
        )
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not [path for path in out.parent.iterdir() if path != out]


def test_other_peoples_folders_are_not_replaced(network, frames, tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(NotOurs):
        build_engines(network, tmp_path, [], frames, frames, source="test")
    assert (tmp_path / "thesis.tex").read_text() == "years"


def test_a_data_set_is_not_taken_for_engines(network, frames, tmp_path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "dpa-packed-store", "version": 1}')
    (tmp_path / "frames.u8").write_bytes(b"a night of rendering")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(NotOurs):
        build_engines(network, tmp_path, [], frames, frames, source="test")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_somebody_put_beside_engines_is_not_removed(network, frames, tmp_path) -> None:
    out = tmp_path / "engines"
    build_engines(network, out, [], frames, frames, source="test")
    build_engines(network, out, [], frames, frames, source="test")  # engines alone are replaced
    (out / "notes.txt").write_text("mine")
    with pytest.raises(NotOurs):
        build_engines(network, out, [], frames, frames, source="test")
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("backends", "precisions"), [(["abacus"], ["fp32"]), (["onnx"], ["fp8"]), (["onnx"], ["fp32", "bf16"])]
)
def test_variants_that_do_not_exist_are_named(backends, precisions) -> None:
    with pytest.raises(UnsupportedVariant):
        choose_variants(backends, precisions)


def test_bench_times_torch_and_every_engine(built, network, frames) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.predict(frames[:2])
    gflop = counter.get_total_flops() / 2 / 1e9
    rows = measure_sessions(network, "pose", EngineFolder(built[0]), frames, [1, 30], threads=1, seconds=0.0)
    assert [(row["backend"], row["batch"]) for row in rows] == [
        ("torch", 1),
        ("onnxruntime", 1),
        ("torch", 30),
        ("onnxruntime", 30),
    ]
    for row in rows:
        assert row["images_per_s"] == pytest.approx(row["batch"] / row["p50_ms"] * 1e3)
        assert row["images_per_s_end_to_end"] > 0 and row["gflop_per_image"] == pytest.approx(gflop, rel=1e-6)
    assert rows[0]["mpjpe_shift_mm"] == 0 < rows[1]["mpjpe_shift_mm"] < 0.01
