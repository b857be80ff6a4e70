"""`train --framework …`, `fit-regressor` and `zoo calibrate` by commands, on tiny networks and few people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.reproduce.participants import find_participants
from dpa.engine.zoo.build import Workshop
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.frameworks.program import NoGradient
from dpa.models.networks import config as network_config
from dpa.models.networks.config import NetworkConfig
from dpa.models.trust import trusting_code
from dpa.models.zoo.recipe import Recipe

FEW = {"subjects": ("S1", "S5"), "actions": ("Walking",), "clips": 2, "frames": 2, "fps": 2, "size": 32}
Run = Callable[..., Any]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_sizes: NetworkConfig, pooled_sizes: NetworkConfig
) -> Run:
    """Calls dpa-engine, where the presets `small` and `tiny` are smaller still, of codes of different widths,
    and nothing is cached outside the test."""
    renamed = tiny_sizes.model_copy(update={"preset": "small"})
    monkeypatch.setitem(network_config.PRESETS, "small", lambda: renamed)
    monkeypatch.setitem(network_config.PRESETS, "tiny", lambda: pooled_sizes)
    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dpa.export.cached_pose.cached_pose_session", lambda network: network.predict)

    def call(*arguments: object) -> Any:
        done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    return call


def test_trained_by_commands_and_calibrated(run: Run, tmp_path: Path) -> None:
    people = tmp_path / "people"
    few = [word for name in ("clips", "frames", "fps", "size") for word in ("--set", f"{name}={FEW[name]}")]
    only = ("--set", "subjects=[S1,S5]", "--set", "actions=[Walking]", "--set", "workers=1")
    run("data", "redress", "--out", people, "--outfits", "S1,S5", *few, *only)
    for framework in ("silhouette", "entangled", "oracle-swap"):
        out = tmp_path / framework
        steps = ("--steps", 2, "--batch", 8, "--set", "localiser_start=1")
        preset = ("--preset", "tiny" if framework == "silhouette" else "small")
        run("train", people, "--out", out, "--framework", framework, *steps, *preset)
        run("fit-regressor", out, people, "--steps", 5)
    known = [f"{name}={tmp_path / name}" for name in ("silhouette", "entangled")]
    small = ("--set", "attacked=4", "--set", "attack.max_steps=2", "--set", "samples=8", "--set", "pool=8")
    given = ("--data", people, "--out", tmp_path / "calibration", "--stages", "attack,swap,dc", *small)
    told = run("zoo", "calibrate", *known, f"oracle-swap={tmp_path / 'oracle-swap'}", *given, "--json")
    found = json.loads(told.stdout)
    assert found["networks"] == ["silhouette", "entangled", "oracle-swap"]
    assert {one["stage"] for one in found["measures"]} == {"attack", "swap", "dc"}
    shift = next(one for one in found["measures"] if one["key"] == "swap_pose_shift_mm")
    assert shift["values"]["silhouette"] == 0  # by construction, however little it was trained
    assert "attack" in found["commands"]["entangled"]["attack"]
    assert found["presets"] == {"silhouette": "tiny", "entangled": "small", "oracle-swap": "small"}
    again = run("zoo", "calibrate", *known, f"oracle-swap={tmp_path / 'oracle-swap'}", *given)
    assert "Calibration" in again.stdout and "verdict" in again.stdout
    written = run("zoo", "calibrate", *known, f"oracle-swap={tmp_path / 'oracle-swap'}", *given, "--markdown")
    head = [cell.strip() for cell in written.stdout.splitlines()[0].strip("| ").split("|")]
    assert head == ["measure", "silhouette", "entangled", "oracle-swap", "verdict"]
    assert "Networks of different sizes: tiny: silhouette; small: entangled, oracle-swap." in written.stdout
    for stage in ("analyze swap", "analyze dc", "attack"):
        assert written.stdout.count(f"`dpa-engine {stage} ") == 3  # runs, not names in the zoo: one each
    assert json.loads((tmp_path / "calibration/calibration.json").read_text()) == found


def test_a_framework_of_ones_own_takes_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    (member,), missing = find_participants(["mine=examples.own_framework:load"])
    assert (member.name, member.spec) == ("mine", "examples.own_framework:load") and not missing
    assert len(member.weights) == 64 and member.role.framework is None
    torch.jit.trace(torch.nn.Identity(), torch.rand(1, 3, 8, 8)).save(str(tmp_path / "p.pt"))  # type: ignore[no-untyped-call]
    with trusting_code(), pytest.raises(NoGradient):
        find_participants([f"mine={tmp_path / 'p.pt'}"])


def test_an_unknown_stage_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["zoo", "calibrate", "nsd", "--stages", "atack", "--out", str(tmp_path)])
    assert done.exit_code == 2 and "'atack'" in done.stderr and "attack" in done.stderr


def test_a_recipe_with_outfits_is_rendered_in_each_of_them(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {"data": {**FEW, "workers": 1}, "outfits": ("S1", "S8"), "train": {"framework": "oracle-swap"}}
    )
    workshop = Workshop("oracle-swap", recipe, tmp_path, torch.device("cpu"))
    store = workshop.data()
    assert set(np.unique(store.outfit)) == {"S1", "S8"}
    assert len(store) == 2 * 2 * 2 * 2 * 4
    assert workshop.data().path == store.path == PackedStore.open(store.path).path
    assert SynthConfig.model_validate(FEW).outfit is None
