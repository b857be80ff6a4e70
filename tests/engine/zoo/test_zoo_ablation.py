"""Ablation measures on painters whose disentanglement is known."""

import json
from collections.abc import Callable
from pathlib import Path

import dcor
import numpy as np
import pytest
import torch
import typer
from scipy import stats
from torch import Tensor
from typer.testing import CliRunner

from dpa.engine.cli.zoo import ablate
from dpa.engine.report.renderers import text
from dpa.engine.zoo.ablation import (
    CodeMeasures,
    SwapMeasures,
    ablation_table,
    codes_table,
    margin,
    measure_codes,
    measure_swap,
    pairs_of_people,
    silhouette_iou,
)
from dpa.engine.zoo.counterparts import NoCounterpart, UnequalBudget, counterparts_of, differences
from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.errors import InputError
from dpa.models.networks import config as network_config
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.checkpoint import read_config
from dpa.models.zoo.recipe import read_recipe

CPU = torch.device("cpu")
COLOURS = {"S1": (220, 30, 30), "S5": (30, 200, 60), "S6": (40, 60, 230)}


@pytest.fixture
def people(tmp_path: Path) -> PackedStore:
    """Twelve frames of plain squares on black, a colour for each subject, four positions each."""
    cameras = [Camera("one", np.eye(3), np.eye(3), np.zeros(3))]
    rows = np.zeros(12, COLUMNS)
    frames = np.zeros((12, 16, 16, 3), np.uint8)
    for row in range(12):
        subject = tuple(COLOURS)[row // 4]
        place = 2 * (row % 4)
        frames[row, place : place + 8, 2:10] = COLOURS[subject]
        box = (1, 1, 0, 0)
        rows[row] = (subject, "standing", subject, row // 4, 0, 0, row % 4, row % 4, box)
    with PackedStoreWriter(
        tmp_path / "people",
        cameras=cameras,
        plates=np.zeros((1, 16, 16, 3), np.uint8),
        fps=1,
        seed=0,
        source="squares",
        count=12,
    ) as writer:
        silhouettes = frames.any(-1)
        poses = np.zeros((12, 17, 3), np.float32)
        writer.write(0, frames, silhouettes, poses, {name: rows[name] for name in COLUMNS.names or ()})
    return PackedStore.open(tmp_path / "people")


class Painter:
    """Codes: a square's colour and its silhouette. `leak`: the share of the colour that the pose code
    carries and the decoder takes from there. `drift`: whether the appearance code carries the silhouette.
    The pose that it reads is the person's redness, 100 mm for full red, times `leak`."""

    training = False
    crop_size = localiser_size = 16

    def __init__(self, leak: float, drift: bool = False) -> None:
        self.leak, self.drift = leak, drift

    def localise(self, frames: Tensor) -> Tensor:
        return frames.new_tensor([1.0, 1.0, 0.0, 0.0]).expand(len(frames), 4)

    def crop(self, frames: Tensor, box: Tensor) -> Tensor:
        return frames

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        mask = (crops.amax(1, keepdim=True) > 0.05).float()
        colour = (crops * mask).sum((2, 3)) / mask.sum((2, 3))
        both = torch.cat([colour, mask.flatten(1)], 1)
        return both, both

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        colour = (1 - self.leak) * h_a[:, :3] + self.leak * h_p[:, :3]
        mask = (h_a if self.drift else h_p)[:, 3:].reshape(-1, 1, 16, 16)
        return colour[:, :, None, None].expand(-1, -1, 16, 16), mask

    def predict(self, frames: Tensor) -> Tensor:
        pose = torch.zeros(len(frames), 17, 3)
        pose[:, 1:, 0] = 100 * self.leak * self.encode(frames)[0][:, :1]
        return pose


def test_a_disentangled_painter_reads_as_one(people: PackedStore) -> None:
    measured = measure_swap(Painter(leak=0), people, pairs_of_people(people, 12, 0), CPU)  # type: ignore[arg-type]
    assert measured.pairs == 12
    assert measured.colours_moved == pytest.approx(1, abs=0.02)
    assert measured.pose_shift_mm == 0 and measured.silhouette_kept == 1


def test_the_more_the_pose_code_leaks_the_less_the_colours_move(people: PackedStore) -> None:
    pairs = pairs_of_people(people, 12, 0)
    moved = [measure_swap(Painter(leak), people, pairs, CPU) for leak in (0, 0.3, 0.7, 1)]  # type: ignore[arg-type]
    colours = [one.colours_moved for one in moved]
    assert colours == sorted(colours, reverse=True)
    assert colours[-1] == pytest.approx(0, abs=0.02)


def test_the_pose_that_follows_redness_moves_by_the_change_of_redness(people: PackedStore) -> None:
    pairs = pairs_of_people(people, 12, 0)
    measured = measure_swap(Painter(leak=0.5), people, pairs, CPU)  # type: ignore[arg-type]
    red = np.array([COLOURS[name][0] / 255 for name in people.subject])
    change = 0.5 * np.abs(red[pairs[1]] - red[pairs[0]])
    assert measured.pose_shift_mm == pytest.approx((100 * 0.5 * change * 16 / 17).mean(), rel=1e-3)


def test_an_appearance_code_that_carries_the_pose_moves_the_silhouette(people: PackedStore) -> None:
    pairs = pairs_of_people(people, 12, 0)
    measured = measure_swap(Painter(leak=0, drift=True), people, pairs, CPU)  # type: ignore[arg-type]
    silhouettes = people.silhouettes(np.arange(12))
    first, second = silhouettes[pairs[0]], silhouettes[pairs[1]]
    expected = ((first & second).sum((1, 2)) / (first | second).sum((1, 2))).mean()
    assert measured.silhouette_kept == pytest.approx(expected) and expected < 0.9


def test_margins_are_those_of_the_mean_over_pairs(people: PackedStore) -> None:
    pairs = pairs_of_people(people, 12, 0)
    measured = measure_swap(Painter(leak=0.5), people, pairs, CPU)  # type: ignore[arg-type]
    red = np.array([COLOURS[name][0] / 255 for name in people.subject])
    shifts = 50 * np.abs(red[pairs[1]] - red[pairs[0]]) * 0.5 * 16 / 17
    expected = 1.96 * stats.sem(shifts)
    assert measured.pose_shift_margin_mm == pytest.approx(expected, rel=1e-3) and expected > 0
    assert measured.silhouette_kept_margin == 0
    assert margin(np.array([3.0])) is None
    row = ablation_table([("a", SwapMeasures(9, 0.5, 20.0, 0.9, 1.25, 0.004))], "squares").rows[0]
    assert [text(cell) for cell in row] == ["a", "50.0", "20.0 ± 1.2", "0.900 ± 0.004"]


class Coder(Painter):
    """Both codes are the frame's own; `blind`: the pose code is the square's place alone, not its colour."""

    def __init__(self, blind: bool) -> None:
        super().__init__(0)
        self.blind = blind

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        colour, covered = crops.amax((2, 3)), crops.amax(1).amax(2) > 0
        place = covered.float().argmax(1, keepdim=True).float()
        return colour, place if self.blind else colour

    def predict(self, frames: Tensor) -> Tensor:
        return torch.full((len(frames), 17, 3), 10.0)


def test_codes_that_tell_the_person_and_codes_that_do_not(
    people: PackedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "sequence", np.arange(12))  # a clip each, so that others can be neighbours
    sees, blind = (measure_codes(Coder(one), people, 0, CPU) for one in (False, True))  # type: ignore[arg-type]
    places, colours = 2.0 * (np.arange(12) % 4)[:, None], people.frames.max((1, 2)) / 255.0
    assert (sees.dc, sees.person) == (pytest.approx(1), 1)
    assert blind.dc == pytest.approx(dcor.distance_correlation(colours, places), abs=1e-3)
    assert blind.person is not None and blind.person < 0.7


def test_the_error_of_the_regressor_is_that_of_known_poses(
    people: PackedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error() -> float | None:
        return measure_codes(Coder(True), people, 0, CPU).mpjpe_mm  # type: ignore[arg-type]

    assert error() == pytest.approx(10 * 3**0.5), "all joints at (10, 10, 10), truly at 0"
    monkeypatch.setattr(people, "poses", np.full((12, 17, 3), np.nan, np.float32))
    assert error() is None


def test_one_clip_of_everybody_tells_nothing_of_the_person(people: PackedStore) -> None:
    assert measure_codes(Coder(True), people, 0, CPU).person is None  # type: ignore[arg-type]


def test_lines_of_the_table_of_codes() -> None:
    known, unknown = CodeMeasures(0.75, 0.5, 0.4, 0.625, 61.25), CodeMeasures(0.75, None, None, None)
    rows = codes_table([("a", known), ("b", unknown)]).rows
    assert [[text(cell) for cell in row] for row in rows] == [
        ["a", "0.750", "50.0 (40.0 to 62.5)", "61.2"],
        ["b", "0.750", "–", "–"],
    ]


def test_overlap_of_known_masks() -> None:
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, :2] = 1
    other = torch.zeros(2, 1, 4, 4)
    other[0, :, 1:3] = 1
    assert silhouette_iou(mask, other).tolist() == pytest.approx([1 / 3, 1])


def test_donors_are_other_people(people: PackedStore) -> None:
    sources, donors = pairs_of_people(people, 9, 3)
    assert len(sources) == len(donors) == 9
    assert (people.subject[sources] != people.subject[donors]).all()
    assert all(
        (one == other).all()
        for one, other in zip(pairs_of_people(people, 9, 3), (sources, donors), strict=True)
    )


def test_one_person_is_refused(people: PackedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "subject", np.full(12, "S1"))
    with pytest.raises(InputError, match="two people"):
        pairs_of_people(people, 4, 0)


def test_the_command(people: PackedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loaded(Painter):
        def to(self, device: torch.device) -> "Loaded":
            return self

    networks: dict[str, Callable[[], Loaded]] = {"a": lambda: Loaded(0), "b": lambda: Loaded(1)}
    monkeypatch.setattr("dpa.models.training.checkpoint.load_network", lambda name: networks[name]())
    app = typer.Typer()
    app.command()(ablate)
    given = ["a", "b", "--data", str(people.path), "--pairs", "6", "--device", "cpu"]
    told = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    assert told["a"]["colours_moved"] > 0.9 and told["b"]["colours_moved"] < 0.1
    printed = CliRunner().invoke(app, given).stdout
    assert "6 pairs of people" in printed and "silhouette kept" in printed


def test_twins_share_all_settings_but_the_ablated_one() -> None:
    asked = ["train.preset=tiny", "train.steps=3000", "data.clips=8"]
    counterparts = counterparts_of(["nsd", "drnet"], asked)
    assert [one.name for one in counterparts] == ["nsd", "nsd-no-swap", "drnet", "drnet-no-adversary"]
    for counterpart in counterparts:
        train = counterpart.recipe.train
        assert (train.preset, train.steps, counterpart.recipe.data.clips) == ("tiny", 3000, 8)
        assert counterpart.folder.startswith(f"{counterpart.name}-tiny-3000-")
    assert [one.recipe.train.swap_appearance for one in counterparts] == [True, False, True, True]
    assert [one.recipe.train.drnet.adversarial > 0 for one in counterparts] == [True, True, True, False]
    fewer = counterparts_of(["nsd"], [*asked[:2], "data.clips=4"])
    assert fewer[0].folder != counterparts[0].folder  # what was made of other data is not taken for it


def test_a_setting_that_is_ablated_leaves_the_twin_as_it_is() -> None:
    asked = ["train.drnet.adversarial=0.25", "train.drnet.similarity=0.5"]
    weights = [one.recipe.train.drnet for one in counterparts_of(["drnet"], asked)]
    assert [(one.adversarial, one.similarity) for one in weights] == [(0.25, 0.5), (0, 0.5)]


def test_another_budget_is_no_twin() -> None:
    recipe = read_recipe("nsd")
    shorter = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": 9, "batch": 8})})
    assert differences(recipe, shorter) == ["train.steps", "train.batch"]
    milder = recipe.train.drnet.model_copy(update={"similarity": 0.5, "adversarial": 0.5})
    other = recipe.model_copy(update={"train": recipe.train.model_copy(update={"drnet": milder})})
    assert differences(recipe, other) == ["train.drnet.similarity"]
    assert differences(recipe, read_recipe("nsd-no-swap")) == []
    with pytest.raises(NoCounterpart, match=r"(?s)'silhouette'.*cssl, drnet, nsd"):
        counterparts_of(["silhouette"], [])


def test_recipes_of_unequal_budget_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = counterparts_of(["nsd"], [])[0].recipe
    longer = found.model_copy(update={"train": found.train.model_copy(update={"steps": 9})})
    given = iter([found, longer])
    monkeypatch.setattr("dpa.engine.zoo.counterparts.load_config", lambda *_: next(given))
    with pytest.raises(UnequalBudget, match=r"nsd and nsd-no-swap differ in train\.steps"):
        counterparts_of(["nsd"], [])


def test_settings_of_a_training_that_there_is_not_are_refused(people: PackedStore) -> None:
    app = typer.Typer()
    app.command()(ablate)
    refused = CliRunner().invoke(app, ["zoo:nsd", "--data", str(people.path), "--steps", "9"])
    assert isinstance(refused.exception, InputError) and "train.steps=9" in str(refused.exception)


def test_a_pair_is_trained_at_equal_budget_and_compared(
    people: PackedStore, tmp_path: Path, tiny_sizes: NetworkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(network_config.PRESETS, "tiny", lambda: tiny_sizes)
    app = typer.Typer()
    app.command()(ablate)
    few = {"data.subjects": "[S1,S5]", "data.actions": "[Walking]", "data.clips": 2, "data.frames": 2}
    few |= {"data.fps": 2, "data.size": 32, "data.workers": 1, "train.batch": 8, "train.localiser_start": 1}
    few |= {"train.mask_start": 1, "train.refinement.steps": 2, "train.precision": "fp32"}
    few["regressor.steps"] = 2
    given = ["nsd", "--train", "--preset", "tiny", "--steps", "2", "--work", str(tmp_path / "work")]
    given += [word for name, value in few.items() for word in ("--set", f"{name}={value}")]
    given += ["--data", str(people.path), "--pairs", "6", "--device", "cpu"]
    told = CliRunner().invoke(app, [*given, "--json"], catch_exceptions=False)
    assert set(json.loads(told.stdout)) == {"nsd", "nsd-no-swap"}
    runs = sorted((tmp_path / "work").glob("nsd*-tiny-2-*"))
    trainings = [read_config(run).training for run in runs]
    assert [one["swap_appearance"] for one in trainings] == [False, True]  # nsd-no-…, nsd-tiny-…
    assert [(one["preset"], one["steps"], one["batch"]) for one in trainings] == [("tiny", 2, 8)] * 2
    assert len(list((tmp_path / "work").glob("data-*"))) == 1  # one set for both

    stamps = [(run / "model.safetensors").stat().st_mtime_ns for run in runs]
    printed = CliRunner().invoke(app, given, catch_exceptions=False).stdout
    assert "nsd-no-swap: tiny, 2 steps" in printed and "silhouette kept" in printed
    assert stamps == [(run / "model.safetensors").stat().st_mtime_ns for run in runs]
