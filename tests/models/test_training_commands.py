"""`train`, `fit-regressor` and `evaluate` from one end to the other, for every framework; the paper preset
once, where a test run has the minutes for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.data.store import PackedStore
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.checkpoint import checkpoints, read_config, read_network

Run = Callable[..., Any]
"""Arguments → what typer's CliRunner returns."""


@pytest.fixture
def run() -> Run:
    """Calls dpa-engine; what it raises comes through."""

    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)

    return call


@pytest.fixture
def tiny(tiny_config: NetworkConfig) -> tuple[str, str]:
    """The option that makes networks tiny."""
    return "--set", f"sizes={tiny_config.model_dump_json()}"


@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet"])
def test_every_framework_from_frames_to_figures(
    framework: str, run: Run, squares: PackedStore, tiny: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    steps = ("--steps", 4, "--batch", 8, "--set", "localiser_start=1", *tiny)
    trained = run("train", squares.path, "--out", out, "--framework", framework, *steps)
    assert trained.stdout.strip() == str(out)
    assert "waited for data" in trained.stderr and "% of the time" in trained.stderr
    fitted = json.loads(run("fit-regressor", out, squares.path, "--steps", 20, "--json").stdout)
    assert fitted["held_out_frames"] > 0 and fitted["mpjpe_mm"] > 0
    told = json.loads(run("evaluate", out, squares.path, "--json").stdout)
    assert told["n"] == len(squares) and set(told["per_subject"]) == {"S0", "S1"}
    assert -1 <= told["pose_time_spearman"] <= 1
    assert "pose_time_spearman" in run("evaluate", out, squares.path).stdout
    assert read_network(out).framework == framework


def test_flags_win_over_the_file_and_set_over_flags(
    run: Run, squares: PackedStore, tiny: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(
        "framework: cssl\nsteps: 9\nbatch: 8\nlocaliser_start: 0\n"
        "augment: augmix\naugmentation: {gain: 0.1}\n"
    )
    out = tmp_path / "run"
    given = ("--config", file, "--steps", 8, "--augment", "rgb-jitter", "--set", "steps=2", *tiny)
    run("train", squares.path, "--out", out, *given)
    told = read_config(out).training
    assert (told["framework"], told["steps"], told["augment"]) == ("cssl", 2, "rgb-jitter")
    assert told["augmentation"] == {"gain": 0.1, "offset": 0.1, "chains": 3, "depth": 3, "cut": 0.25}


def test_an_unknown_augmentation_is_named(run: Run, squares: PackedStore, tmp_path: Path) -> None:
    outcome = run("train", squares.path, "--out", tmp_path / "run", "--augment", "mixup")
    assert outcome.exit_code == 2
    assert "augment" in outcome.stderr and "rgb-jitter" in outcome.stderr


@pytest.mark.slow
def test_the_paper_preset_trains_resumes_and_exports(run: Run, squares: PackedStore, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ("--set", "localiser_start=0", "--set", "checkpoint_every=1", "--set", "log_every=1")
    given = ("train", squares.path, "--out", out, "--preset", "paper", "--batch", 4, *settings)
    run(*given, "--steps", 1)
    run(*given, "--steps", 2, "--resume")
    assert [path.name for path in checkpoints(out)] == ["step-00000001", "step-00000002"]
    run("fit-regressor", out, squares.path, "--steps", 5)
    told = json.loads(
        run(
            "export", out, "--out", tmp_path / "engines", "--data", squares.path, "--frames", 8, "--json"
        ).stdout
    )
    assert {entry["graph"] for entry in told["shipped"]} == {"pose", "encode", "decode", "regress"}
    assert not told["rejected"]
