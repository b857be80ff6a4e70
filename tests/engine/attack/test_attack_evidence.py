"""What stands beside a success rate: budget, baselines, witness, counts. The linear network's figures
follow by hand: its code is a grey level, and the error is the level's change."""

import numpy as np
import pytest
import torch

from dpa.engine.attack.algorithm import NeedsRealCodes, appearance_attack
from dpa.engine.attack.appearance import AppearanceDistribution, fit_appearance
from dpa.engine.attack.budget import Ball
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.evidence import (
    EVIDENCE,
    evidence_in_words,
    summarise_evidence,
)
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.attack.state import Status
from dpa.engine.attack.writer import read_samples
from dpa.engine.runs.directory import RunDirectory


def grey_codes(spread: float = 10.0) -> AppearanceDistribution:
    """Real grey levels of two persons around 100."""
    codes = 100 + spread * np.random.default_rng(0).normal(size=(400, 1))
    return fit_appearance(codes, np.arange(400) // 10, np.arange(400) % 2)


def attacked(network, frames, budget: str | None, real=None, **settings):
    plates = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    index = torch.zeros(len(frames), dtype=torch.int64)
    config = AttackConfig(
        **{"optimiser": "sgd", "step_size": 0.2, "backend": "eager", "max_steps": 60, "budget": budget}
        | settings
    )
    return appearance_attack(network, network, frames, plates, index, config, real=real)


def test_inside_the_ball_the_error_ends_at_its_surface(linear_network, grey_frames) -> None:
    """From grey 101 the code reaches mean + R·σ at most, and the error with it."""
    real = grey_codes()
    result = attacked(linear_network(offset=1), grey_frames(100), "0.95", real, min_error_mm=175)
    reach = real.quantile(0.95) * np.sqrt(real.covariance[0, 0])
    assert result.status.item() == Status.FAILED
    assert result.final_error_mm.item() == pytest.approx(real.mean[0] + reach - 100, abs=1)
    assert real.radius(result.h_a.double().numpy()).max() <= real.quantile(0.95)


def test_without_a_ball_the_same_attack_succeeds(linear_network, grey_frames) -> None:
    result = attacked(linear_network(offset=1), grey_frames(20), "none", grey_codes(), max_steps=200)
    assert result.success.all()


def test_a_start_outside_the_ball_is_brought_in(linear_network, grey_frames) -> None:
    real = grey_codes()
    result = attacked(linear_network(offset=0), grey_frames(200), "0.8", real, max_steps=3)
    assert result.h_a0.item() == pytest.approx(200)
    assert real.radius(result.h_a.double().numpy()).max() <= real.quantile(0.8)


def test_no_budget_is_the_papers_algorithm_bit_for_bit(tiny_world) -> None:
    world = tiny_world(6, torch.float32)
    codes = np.random.default_rng(0).normal(size=(80, 5))
    runs = [
        appearance_attack(
            world.network,
            world.network,
            world.frames,
            world.plates,
            world.plate_index,
            AttackConfig(optimiser="adam", backend="eager", max_steps=5),
            real=real,
        )
        for real in (
            None,
            fit_appearance(codes, np.arange(80), np.ones(80)),
        )
    ]
    assert torch.equal(runs[0].h_a, runs[1].h_a)


def test_a_budget_needs_real_codes(linear_network, grey_frames) -> None:
    with pytest.raises(NeedsRealCodes, match="budget 0"):
        attacked(linear_network(), grey_frames(100), "0.95")


@pytest.mark.parametrize("backend", ["eager", "fused"])
def test_batches_of_1_7_and_256_end_alike(tiny_world, backend: str) -> None:
    world = tiny_world(9, torch.float64, odd=False)
    real = fit_appearance(np.random.default_rng(0).normal(size=(400, 16)), np.arange(400), np.arange(400) % 5)
    results = [
        appearance_attack(
            world.network,
            world.network,
            world.frames,
            world.plates,
            world.plate_index,
            AttackConfig(
                budget="0.95", batch=batch, backend=backend, optimiser="adam", max_steps=8, min_error_mm=90
            ),
            real=real,
        )
        for batch in (1, 7, 256)
    ]
    for other in results[1:]:
        assert torch.equal(other.success, results[0].success)
        torch.testing.assert_close(other.final_error_mm, results[0].final_error_mm, rtol=1e-3, atol=0.05)
    assert all((real.radius(one.h_a.numpy()) <= real.quantile(0.95)).all() for one in results)


@pytest.fixture
def bounded_run(tiny_world, tiny_store, tmp_path):
    """A run with a budget and the network itself as its witness, on a third of the store's clips."""
    network = tiny_world(4).network.float()
    settings = AttackRunConfig(
        target="mine",
        budget="0.95",
        witness="mine",
        backend="eager",
        optimiser="adam",
        max_steps=8,
        min_error_mm=60,
    )
    run = RunDirectory.create(tmp_path / "run", "attack", settings.model_dump(mode="json"))
    rows = np.flatnonzero(tiny_store.sequence < 2)
    with run:
        results = run_attack(run, Networks(network, network), tiny_store, rows, settings, witness=network)
    return run, results, network, tiny_store


def test_a_run_keeps_its_distribution_and_tells_what_a_success_is_worth(bounded_run) -> None:
    run, results, network, _ = bounded_run
    real = AppearanceDistribution.load(run.path)
    assert real.facts()["clips"] == 4  # those that were not attacked
    assert results["budget"]["radius"] == pytest.approx(real.quantile(0.95))
    assert results["beyond_every_real"] == 0
    assert sum(results["counts"].values()) == results["n"] == 8
    assert set(results["baselines"]) == {"random", "other", "best_of"}
    samples, evidence = read_samples(run), run.read_shards(EVIDENCE)
    won = samples["success"]
    # The witness is the target here: it reads in the pictures what the judge read in them.
    frames = [
        torch.from_numpy(run.read_shards("adversarial")[name]).permute(0, 3, 1, 2).float() / 255
        for name in ("synthesised", "adversarial")
    ]
    order = run.read_shards("adversarial")["index"].argsort()
    with torch.no_grad():
        before, after = (network.predict(part[order]) for part in frames)
    np.testing.assert_allclose(evidence["witness_mm"], (after - before).norm(dim=-1).mean(-1), atol=0.5)
    clean = (won & (evidence["witness_mm"] <= 80)).mean()
    assert results["witness"]["clean_success_rate"] == pytest.approx(clean)
    text = "\n".join(evidence_in_words(results))
    assert "beyond every real code: 0.0 %" in text and "95 % radius by clip" in text


def test_the_best_of_many_real_codes_is_no_worse_than_one(bounded_run) -> None:
    evidence = bounded_run[0].read_shards(EVIDENCE)
    assert (evidence["best_of_mm"] >= evidence["other_mm"]).all()
    assert (evidence["best_of_mm"] > evidence["other_mm"]).any()


def test_baselines_depend_on_the_sample_alone(bounded_run, tmp_path) -> None:
    """The same samples in a run of half of them get the same figures."""
    run, _, network, store = bounded_run
    real = AppearanceDistribution.load(run.path)
    whole = run.read_shards(EVIDENCE)
    settings = AttackRunConfig(
        target="mine", budget="0.95", backend="eager", optimiser="adam", max_steps=8, min_error_mm=60
    )
    half = RunDirectory.create(tmp_path / "half", "attack", settings.model_dump(mode="json"))
    real.save(half.path)
    rows = np.flatnonzero(store.sequence < 1)
    with half:
        run_attack(half, Networks(network, network), store, rows, settings)
    part = half.read_shards(EVIDENCE)
    for name in ("random_mm", "other_mm", "best_of_mm"):
        np.testing.assert_allclose(part[name], whole[name][np.isin(whole["index"], rows)], rtol=1e-3)


def test_who_starts_above_the_threshold_succeeds_with_no_baseline() -> None:
    real, n = grey_codes(), 4
    samples = {
        "success": np.array([False, True, False, False]),
        "status": np.array([Status.STARTED_ABOVE, Status.SUCCESS, Status.FAILED, Status.FAILED]),
        "initial_error_mm": np.array([200.0, 10, 10, 10]),
        "sequence": np.arange(n),
    }
    evidence = {name: np.full(n, 300.0) for name in ("random_mm", "other_mm", "best_of_mm")}
    evidence |= {"radius": np.array([1.0, 99, 1, 1]), "witness_mm": np.array([0, 90.0, 0, 0])}
    told = summarise_evidence(
        samples,
        evidence,
        real=real,
        ball=Ball.of(real, "max", torch.zeros(1)),
        budget="max",
        witness="w",
        min_error_mm=175,
    )
    assert told["baselines"]["random"]["success_rate"] == 0.75
    assert told["beyond_every_real"] == pytest.approx(1 / 3)
    assert told["witness"]["clean_success_rate"] == 0
