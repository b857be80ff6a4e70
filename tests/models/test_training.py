"""The training loop: exact resume, an honest stop on NaN, the localiser's start, the regressor."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.models.artefacts import NotOurs
from dpa.models.data.contract import COLUMNS
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.reconstruction import MARGIN, background_boxes
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor
from dpa.models.training import loop
from dpa.models.training.batches import split_sequences
from dpa.models.training.checkpoint import (
    BrokenCheckpoint,
    NotANetwork,
    NothingToResume,
    RunTrained,
    load_network,
    read_config,
    read_network,
    save_network,
)
from dpa.models.training.config import RefinementConfig, TrainConfig
from dpa.models.training.record import Progress
from dpa.models.training.regressor_fit import LabelledCodes, RegressorConfig, fit_regressor, labelled_rows
from dpa.models.training.validation import box_iou, validate

CPU = torch.device("cpu")


@pytest.fixture
def tiny(tiny_config: NetworkConfig) -> TrainConfig:
    return TrainConfig(
        sizes=tiny_config,
        steps=6,
        batch=8,
        warm_up=2,
        localiser_start=2,
        log_every=2,
        validate_every=3,
        checkpoint_every=2,
    )


def quiet(progress: object) -> None:
    """A report that goes nowhere."""


def test_a_resumed_run_ends_with_the_same_weights(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    whole = loop.Trainer(tiny, squares, tmp_path / "whole", CPU).fit(False, quiet)

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.step == 6:
            raise Killed

    with pytest.raises(Killed):
        loop.Trainer(tiny, squares, tmp_path / "cut", CPU).fit(False, kill)
    resumed = loop.Trainer(tiny, squares, tmp_path / "cut", CPU).fit(True, quiet)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_same_seed_trains_the_same_weights(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    first, second = (loop.Trainer(tiny, squares, tmp_path / name, CPU).fit(False, quiet) for name in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_training_improves_held_out_reconstructions(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    config = tiny.model_copy(update={"steps": 150, "validate_every": 150, "learning_rate": 5e-3})
    trainer = loop.Trainer(config, squares, tmp_path, CPU)
    before = validate(trainer.network, squares, trainer.validation_rows).psnr_db.mean()
    network = trainer.fit(False, quiet)
    assert validate(network, squares, trainer.validation_rows).psnr_db.mean() > before + 1


def test_a_loss_that_is_not_finite_stops_and_names_the_checkpoint(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    trainer = loop.Trainer(tiny, squares, tmp_path, CPU)

    def poison(progress: Progress) -> None:
        if progress.step == 4:
            with torch.no_grad():
                trainer.network.decoder.image.bias.fill_(float("nan"))

    with pytest.raises(loop.NonFiniteLoss, match=r"step 4: pixel nan.*\n.*step-0000000[24]"):
        trainer.fit(False, poison)


def test_a_trained_network_is_not_trained_over(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    loop.Trainer(tiny, squares, tmp_path / "run", CPU).fit(False, quiet)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(RunTrained, match="--resume"):
        loop.Trainer(tiny, squares, tmp_path / "run", CPU).fit(False, quiet)
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}


@pytest.mark.parametrize("resume", [False, True])
def test_a_training_leaves_another_folder_alone(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path, resume: bool
) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(NotOurs):
        loop.Trainer(tiny, squares, tmp_path, CPU).fit(resume, quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


class SlowClock:
    """Every look at it takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0

    def perf_counter(self) -> float:
        self.now += self.seconds
        return self.now


def test_by_the_clock_all_phases_have_their_share_on_any_machine(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"minutes": 1.0, "log_every": 1, "refinement": RefinementConfig(steps=2)}
    taken = []
    for seconds in (2.0, 1.0):
        monkeypatch.setattr(loop, "time", SlowClock(seconds))
        run = tmp_path / str(seconds)
        places: list[Progress] = []
        loop.Trainer(tiny.model_copy(update=settings), squares, run, CPU).fit(False, places.append)
        rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
        counts = [sum(row[1] == name for row in rows) for name in ("localiser_start", "pixel", "second_code")]
        taken.append(read_config(run).training["step"])
        # a plan of 2 steps of the localiser's start, 4 of joint training, 2 of refinement
        assert counts[0] + counts[1] == taken[-1]
        assert np.allclose(np.array([counts[0], counts[2]]) / taken[-1], 2 / 8, atol=1.5 / taken[-1])
        assert places[-1].step == places[-1].steps == 8
    assert taken[0] * 2 == pytest.approx(taken[1], abs=2) and taken[0] > 8


def test_time_that_was_spent_before_a_resume_counts(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.model_copy(update={"minutes": 1.0, "validate_every": 1000, "checkpoint_every": 1})

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.step >= 3:
            raise Killed

    def steps_of(run: Path) -> object:
        return read_config(run).training["step"]

    monkeypatch.setattr(loop, "time", SlowClock(1))
    loop.Trainer(config, squares, tmp_path / "whole", CPU).fit(False, quiet)
    with pytest.raises(Killed):
        loop.Trainer(config, squares, tmp_path / "cut", CPU).fit(False, kill)
    loop.Trainer(config, squares, tmp_path / "cut", CPU).fit(True, quiet)
    assert steps_of(tmp_path / "cut") == pytest.approx(steps_of(tmp_path / "whole"), abs=2)


def test_a_refinement_may_begin_with_a_network_that_is_there(
    squares: PackedStore, tiny: TrainConfig, tiny_config: NetworkConfig, tmp_path: Path
) -> None:
    first = DisentangledNetwork(tiny_config, "nsd")
    first.regressor = Regressor(tiny_config)
    save_network(first, tmp_path / "first", {"regressor_fit": {"steps": 7}})
    begun = {"initial": str(tmp_path / "first"), "steps": 0, "refinement": RefinementConfig(steps=2)}
    loop.Trainer(tiny.model_copy(update=begun), squares, tmp_path / "run", CPU).fit(False, quiet)
    refined = read_network(tmp_path / "run")
    for name, value in first.state_dict().items():
        same = torch.equal(refined.state_dict()[name], value)
        assert same != name.startswith("decoder."), name
    assert refined.can_regress and read_config(tmp_path / "run").training["regressor_fit"] == {"steps": 7}


def test_an_encoder_that_learns_on_leaves_its_regressor_behind(
    squares: PackedStore, tiny: TrainConfig, tiny_config: NetworkConfig, tmp_path: Path
) -> None:
    first = DisentangledNetwork(tiny_config, "nsd")
    first.regressor = Regressor(tiny_config)
    save_network(first, tmp_path / "first", {"regressor_fit": {"steps": 7}})
    begun = tiny.model_copy(update={"initial": str(tmp_path / "first")})
    loop.Trainer(begun, squares, tmp_path / "run", CPU).fit(False, quiet)
    assert not read_network(tmp_path / "run").can_regress
    assert "regressor_fit" not in read_config(tmp_path / "run").training
    with pytest.raises(loop.AnotherFramework, match="--framework nsd"):
        loop.Trainer(begun.model_copy(update={"framework": "cssl"}), squares, tmp_path / "other", CPU)


def test_a_training_without_any_step_is_refused() -> None:
    with pytest.raises(ValueError, match="a step of joint training or of refinement"):
        TrainConfig(steps=0)


def test_resume_without_a_checkpoint_is_refused(
    squares: PackedStore, tiny: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(NothingToResume, match="no complete checkpoint"):
        loop.Trainer(tiny, squares, tmp_path, CPU).fit(True, quiet)


def test_background_subtraction_finds_the_square(squares: PackedStore) -> None:
    rows = np.arange(len(squares))
    frames, plates = squares.frames_at(rows), squares.plates_tensor()
    boxes, found = background_boxes(frames, plates, torch.from_numpy(squares.plate.copy()), 32)
    assert found.all()
    truth = torch.from_numpy(squares.box.copy())
    side = MARGIN * (truth[:, :2].amax(1) + 0 * boxes[:, 0])
    torch.testing.assert_close(boxes[:, 2:], truth[:, 2:], atol=1.1 / 32, rtol=0)
    torch.testing.assert_close(boxes[:, 0], side, atol=2.5 / 32, rtol=0)
    _, nothing = background_boxes(plates, plates, torch.arange(3), 32)
    assert not nothing.any()


def test_iou_of_known_boxes() -> None:
    box = torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    for other, expected in (((0.5, 0.5, 0, 0), 1), ((0.25, 0.5, 0, 0), 0.5), ((0.5, 0.5, 0.5, 0), 1 / 3)):
        assert box_iou(box, torch.tensor([other])).item() == pytest.approx(expected)
    assert box_iou(box, torch.tensor([[0.2, 0.2, 0.9, 0.9]])).item() == 0


def test_sequences_are_never_shared_by_training_and_validation(squares: PackedStore) -> None:
    train, held_out = split_sequences(squares, 0.3, 0)
    assert not set(squares.sequence[train]) & set(squares.sequence[held_out])
    assert len(train) + len(held_out) == len(squares) and len(held_out)


def test_a_single_sequence_validates_on_its_last_instants(
    squares: PackedStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Never an empty side; one instant alone cannot be split."""
    for instants, held in ((4, 1), (2, 1), (1, None)):
        rows = np.flatnonzero((squares.sequence == 2) & (squares.frame < instants))
        columns = {name: getattr(squares, name)[rows] for name in COLUMNS.names or ()}
        with PackedStoreWriter(
            tmp_path / str(instants),
            cameras=squares.cameras,
            plates=np.asarray(squares.plates),
            fps=10,
            seed=0,
            source="test",
            count=len(rows),
        ) as writer:
            masks = squares.silhouettes(rows)
            writer.write(0, squares.frames_u8_at(rows), masks, np.asarray(squares.poses[rows]), columns)
        store = PackedStore.open(tmp_path / str(instants))
        if held is None:
            with pytest.raises(InputError, match="one instant of one sequence"):
                split_sequences(store, 0.05, 0)
            continue
        train, held_out = split_sequences(store, 0.05, 0)
        assert set(store.frame[held_out]) == {instants - 1} and len(train) + len(held_out) == len(store)
        assert set(store.frame[train]) == set(range(instants - 1))
    assert "one sequence" in caplog.text


def test_the_regressor_learns_a_linear_map_it_was_shown(tiny_config: NetworkConfig) -> None:
    torch.manual_seed(0)
    codes = torch.randn(2000, 12)
    poses = (codes @ torch.randn(12, 51)).reshape(-1, 17, 3) * 40 + 100
    poses = poses - poses[:, :1]
    network = DisentangledNetwork(
        tiny_config.model_copy(update={"regressor_hidden": 256, "regressor_dropout": 0.0}), "nsd"
    )
    steps = 600
    regressor = fit_regressor(
        network, LabelledCodes(codes, poses), RegressorConfig(steps=steps), lambda *_: None
    )
    assert torch.equal(regressor.std[0], torch.ones(3)) and not regressor.training
    error = (regressor(codes) - poses).norm(dim=-1).mean()
    baseline = (poses - poses.mean(0)).norm(dim=-1).mean()
    assert error < 0.15 * baseline


def test_labels_come_from_a_share_of_the_frames() -> None:
    rows = labelled_rows(np.arange(1000), RegressorConfig(fraction=0.1))
    assert len(rows) == 100 and len(set(rows)) == 100


def test_validation_matches_a_by_hand_computation(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    torch.manual_seed(1)
    network = DisentangledNetwork(tiny_config, "nsd").eval()
    network.regressor = Regressor(tiny_config).eval()
    rows = np.arange(10)
    measured = validate(network, squares, rows, batch=3)
    predicted = network.predict(squares.frames_at(rows)).detach().double().numpy()
    expected = np.sqrt(((predicted - squares.poses[rows]) ** 2).sum(-1)).mean(-1)
    assert measured.mpjpe_mm is not None
    np.testing.assert_allclose(measured.mpjpe_mm, expected, rtol=1e-5)
    assert measured.psnr_db.shape == measured.box_iou.shape == (10,)


@pytest.mark.parametrize("half", [False, True])
def test_a_checkpoint_comes_back(tiny_config: NetworkConfig, tmp_path: Path, half: bool) -> None:
    network = DisentangledNetwork(tiny_config, "nsd")
    network.regressor = Regressor(tiny_config)
    save_network(network, tmp_path, {"seed": 4}, half)
    back = load_network(str(tmp_path))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(
            back.state_dict()[name], value, rtol=1e-3 if half else 0, atol=1e-3 if half else 0
        )
    assert not any(p.requires_grad for p in back.parameters()) and not back.training


def test_named_errors_of_loading(tiny_config: NetworkConfig, tmp_path: Path) -> None:
    with pytest.raises(NotANetwork, match="no trained network"):
        load_network(str(tmp_path))
    with pytest.raises(NotANetwork, match="not in the zoo"):
        load_network("zoo:nothing")
    save_network(DisentangledNetwork(tiny_config, "nsd"), tmp_path, {})
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BrokenCheckpoint, match="weights"):
        read_network(tmp_path)
    (tmp_path / "config.yaml").write_text("framework: [")
    with pytest.raises(BrokenCheckpoint, match=r"config\.yaml"):
        read_network(tmp_path)
