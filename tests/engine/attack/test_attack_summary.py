"""What a run's figures are of: the samples that were really attacked."""

import numpy as np
import pytest

from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.state import Status
from dpa.engine.attack.summary import COLUMNS, RunFacts, require_sound, summarise
from dpa.models.finite import NonFiniteOutputs

GOOD, BAD, WON, STILL = Status.FAILED, Status.NONFINITE, Status.SUCCESS, Status.NO_GRADIENT


def samples(*statuses: Status) -> dict[str, np.ndarray]:
    """Sample k has k in every column; a broken one has nothing finite."""
    status = np.array(statuses, np.int8)
    numbers = np.arange(len(status), dtype=float)
    columns = {name: np.where(status == BAD, np.nan, numbers) for name in COLUMNS}
    subjects = np.array([f"S{k % 2}" for k in range(len(status))])
    told = {"subject": subjects, "status": status, "success": status == WON}
    return columns | told | {"iterations": np.arange(len(status)), "elapsed_s": numbers}


def facts(**told: object) -> RunFacts:
    return RunFacts("t", "g", AttackConfig(), "eager", 2.0, "cpu", {}, **told)


def test_broken_samples_are_counted_and_part_of_no_figure() -> None:
    results = summarise(samples(WON, BAD, GOOD, WON, STILL), facts())
    assert (results["n"], results["nonfinite"], results["no_gradient"]) == (5, 1, 1)
    assert results["success_rate"] == pytest.approx(2 / 3)
    assert results["mpjpe_final_mm"] == pytest.approx((0 + 2 + 3) / 3)
    assert results["iterations"]["max"] == 3
    assert results["per_subject"]["S1"] == {"n": 1, "initial_mm": 3, "final_mm": 3, "success_rate": 1}
    with pytest.raises(NonFiniteOutputs, match="not finite for 1 of 5"):
        require_sound(results)


def test_sound_samples_are_all_part_of_it() -> None:
    results = summarise(samples(WON, GOOD), facts())
    assert results["success_rate"] == 0.5
    require_sound(results)


@pytest.mark.parametrize("status", [BAD, STILL])
def test_without_a_sound_sample_there_is_no_result(status: Status) -> None:
    with pytest.raises(NonFiniteOutputs, match="2 of 2"):
        summarise(samples(status, status), facts())


def test_of_a_network_that_is_blind_by_construction_not_to_move_is_the_answer() -> None:
    results = summarise(samples(STILL, WON), facts(blind=True))
    assert results["success_rate"] == 0.5 and results["no_gradient"] == 0
