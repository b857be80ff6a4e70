"""The export command from a run directory and a packed set to an engine folder that predicts."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dpa.engine.cli import export as cli
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.errors import RefusedModel
from dpa.engine.sessions.manifest import EngineEntry, Parity, Verdicts
from dpa.export import build
from dpa.export.parity import held_out_frames
from dpa.models.data.contract import Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.errors import InputError
from dpa.models.training.checkpoint import save_network

SIDE = 40


def packed(path: Path, count: int, clips: int) -> Path:
    """`count` random frames in `clips` clips; every pixel of a frame tells its clip's number."""
    chance = np.random.default_rng(5)
    clip = np.arange(count) % clips
    frames = chance.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    frames[:, 0, 0] = clip[:, None]
    camera = Camera("c", np.eye(3), np.eye(3), np.zeros(3))
    plates = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    with PackedStoreWriter(
        path, cameras=[camera], plates=plates, fps=1.0, seed=0, source="test", count=count
    ) as writer:
        columns = {
            "subject": "S1",
            "action": "Walking",
            "outfit": "S1",
            "sequence": clip,
            "camera": 0,
            "plate": 0,
            "frame": np.arange(count),
            "time": np.arange(count, dtype=float),
            "box": np.tile(np.float32([1, 1, 0, 0]), (count, 1)),
        }
        people = np.ones((count, SIDE, SIDE), bool)
        writer.write(0, frames, people, np.zeros((count, 17, 3), np.float32), columns)
    return path


@pytest.fixture(scope="module")
def run_and_data(network, tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("command")
    save_network(network, root / "run", {})
    return root / "run", packed(root / "data", 24, 4)


def test_export_then_open(run_and_data, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    run, data = run_and_data
    out = tmp_path / "engines"
    options = [
        "--out",
        out,
        "--data",
        data,
        "--graphs",
        "pose,regress",
        "--frames",
        8,
        "--judged",
        3,
        "--json",
    ]
    result = CliRunner().invoke(cli.app, ["export", str(run), *map(str, options)])
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)
    assert [entry["graph"] for entry in made["shipped"]] == ["pose", "regress"] and not made["rejected"]
    assert all(entry["parity"]["samples"] == 8 for entry in made["shipped"])
    assert all(entry["parity"]["verdicts"]["judged"] == 3 for entry in made["shipped"])
    manifest = EngineFolder(out).manifest
    assert manifest.source == "run", "the manifest names the run, not a folder of this machine"
    assert str(run) not in (out / "manifest.json").read_text()


def test_the_table_says_how_many_verdicts_flip(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    verdicts = Verdicts(judged=32, succeeded=20, flips=7, threshold_mm=175.0)
    figures = {"mean_mm": 0.5, "p99_mm": 1.0, "max_mm": 2.0, "limit_mm": 1.0, "code_error": {}}
    judge = Parity(samples=8, verdicts=verdicts, **figures)
    names = {"backend": "onnxruntime", "precision": "fp32", "file": "f.onnx", "device": "cpu"}
    entries = (EngineEntry(graph="pose", parity=judge, **names),)
    cli.print_report(build.BuildReport(entries, ()), Path("engines"))
    assert "7 of 32" in capsys.readouterr().out


def test_what_a_back_end_refuses_does_not_cost_the_others(run_and_data, tmp_path: Path, monkeypatch) -> None:
    """TensorRT has no pooling that tells its indices, which the step graph of a pooling encoder needs."""
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    real = build.make_engine

    def refusing(job, name, variant):
        if name == "step":
            raise RefusedModel("TensorRT refuses the model: MaxPool", "a network", "another")
        return real(job, name, variant)

    monkeypatch.setattr(build, "make_engine", refusing)
    run, data = run_and_data
    options = ["--out", tmp_path / "e", "--data", data, "--graphs", "step,regress"]
    result = CliRunner().invoke(cli.app, ["export", str(run), *map(str, options)])
    assert result.exit_code == 1 and "MaxPool" in result.stderr and "refused" in result.stdout
    assert [entry.graph for entry in EngineFolder(tmp_path / "e").manifest.engines] == ["regress"]
    assert json.loads((tmp_path / "e" / build.REPORT).read_text())["refused"][0]["graph"] == "step"


def test_over_the_limit_is_exit_code_1(run_and_data, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    run, data = run_and_data
    options = ["--out", tmp_path / "e", "--data", data, "--graphs", "regress", "--limit", 1e-12]
    result = CliRunner().invoke(cli.app, ["export", str(run), *map(str, options)])
    assert result.exit_code == 1
    assert "over 1e-12 mm" in result.stdout and "not shipped" in result.stderr


@pytest.mark.parametrize(
    "options",
    [["--backend", "abacus"], ["--precision", "fp8"], ["--buckets", "1,many"], ["--buckets", "0"]],
)
def test_bad_names_are_exit_code_2(run_and_data, tmp_path: Path, options: list[str]) -> None:
    result = CliRunner().invoke(
        cli.app, ["export", str(run_and_data[0]), "--out", str(tmp_path / "e"), *options]
    )
    assert result.exit_code == 2 and not (tmp_path / "e").exists()


def test_without_tensorrt_nothing_is_begun(run_and_data, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("dpa.engine.sessions.tensorrt_plans.find_spec", lambda _: None)
    monkeypatch.setattr("dpa.export.build.make_engine", lambda *_: pytest.fail("exported first"))
    run, data = run_and_data
    options = ["--backend", "tensorrt", "--data", str(data), "--out", str(tmp_path / "e")]
    result = CliRunner().invoke(cli.app, ["export", str(run), *options])
    assert result.exit_code == 2 and "dpa-engine[trt]" in result.stderr
    assert not (tmp_path / "e").exists()


def test_parity_and_calibration_come_from_different_clips(run_and_data) -> None:
    parity, calibration = held_out_frames(run_and_data[1], 10, seed=1)
    clips = [set((255 * part[:, 0, 0, 0]).round().int().tolist()) for part in (parity, calibration)]
    assert clips == [{1, 3}, {0, 2}]
    assert len(parity) == len(calibration) == 10


def test_one_clip_is_shared_out_by_frames(tmp_path: Path) -> None:
    parity, calibration = held_out_frames(packed(tmp_path / "data", 7, 1), 10)
    everything = PackedStore.open(tmp_path / "data").frames_at(slice(None))
    assert len(parity) + len(calibration) == 7
    assert not any((p == c).all() for p in parity for c in calibration)
    assert sum((p == e).all() for p in parity for e in everything) == len(parity)


def test_a_single_frame_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 2"):
        held_out_frames(packed(tmp_path / "data", 1, 1), 10)


def test_the_script_is_the_command_under_its_own_name(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["export-engines", "--help"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 0
    assert "export-engines" in capsys.readouterr().out
