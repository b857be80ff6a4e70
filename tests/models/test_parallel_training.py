"""Two gloo processes under torchrun train as one does at the same whole batch.

Every random draw, batch statistic, mean over a varying number of entries and gradient is over the whole
batch, so only the order of additions differs. That is 1e-7 of a value in fp32; Adam's first steps, which
are the gradient's sign, make up to the learning rate of it in weights whose gradient is near zero.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dpa.models import distributed
from dpa.models.data.store import PackedStore
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.loop import UnevenBatch, whole_groups

STEPS, RATE = 6, 1e-3
COMMON = {
    "steps": STEPS, "batch": 16, "warm_up": 2, "learning_rate": RATE, "localiser_start": 3,
    "precision": "fp32", "log_every": 1, "validate_every": STEPS, "checkpoint_every": STEPS,
    "refinement": {"steps": 2},
}  # fmt: skip
RUNS = {
    "nsd": COMMON | {"framework": "nsd", "augment": "cutmix"},
    "cssl": COMMON | {"framework": "cssl", "augment": "rgb-jitter"},
    "drnet": COMMON | {"framework": "drnet", "augment": "augmix"},
}


@pytest.fixture(scope="module")
def trained(
    squares: PackedStore, tmp_path_factory: pytest.TempPathFactory, tiny_sizes: NetworkConfig
) -> tuple[Path, Path]:
    """Folders of the runs by one process and by two."""
    script = str(Path(__file__).with_name("two_processes.py"))
    sizes = tiny_sizes.model_dump_json()
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for folder, how in zip(folders, ([], torchrun), strict=True):
        command = [sys.executable, *how, script, str(squares.path), str(folder), sizes, json.dumps(RUNS)]
        done = subprocess.run(
            command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return folders


def curve(run: Path) -> dict[str, list[float]]:
    """Logged values by name, without speeds."""
    values: dict[str, list[float]] = {}
    with (run / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            values.setdefault(row["name"], []).append(float(row["value"]))
    return {name: value for name, value in values.items() if name not in ("images_per_s", "input_wait_share")}


@pytest.mark.parametrize("name", RUNS)
def test_the_loss_curve_is_that_of_one_process(trained: tuple[Path, Path], name: str) -> None:
    one, two = (curve(folder / name) for folder in trained)
    assert one.keys() == two.keys() and {"pixel", "box_prior", "localiser_start"} <= one.keys()
    assert sum(len(values) for values in one.values()) > 6 * STEPS / 2
    for term, values in one.items():
        # Six digits are logged.
        np.testing.assert_allclose(two[term], values, rtol=2e-3, atol=1e-6, err_msg=term)
        if not term.startswith("second_"):  # first looked at after all the other steps
            np.testing.assert_allclose(two[term][:2], values[:2], rtol=2e-5, atol=1e-7, err_msg=term)


@pytest.mark.parametrize("name", RUNS)
def test_the_weights_are_those_of_one_process(trained: tuple[Path, Path], name: str) -> None:
    one, two = (load_file(folder / name / "model.safetensors") for folder in trained)
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-3, atol=STEPS * RATE)
    far = [((two[key] - value).abs() > RATE / 10).float().mean().item() for key, value in one.items()]
    assert np.mean(far) < 0.01


def test_a_mean_over_unequal_parts_is_that_of_all_entries(trained: tuple[Path, Path]) -> None:
    one, two = (json.loads((folder / "mean.json").read_text()) for folder in trained)
    assert one == 0 and two == np.mean([0, 0, 1, 2])


def test_one_process_is_the_plain_operation() -> None:
    values = torch.rand(6, 2, requires_grad=True)
    assert distributed.count() == 1 and distributed.rank() == 0
    assert distributed.summed(values) is values and distributed.averaged(values) is values
    assert torch.equal(distributed.part(values), values) and torch.equal(distributed.gathered(values), values)
    assert distributed.weight_of(torch.tensor(3)) == 1


def test_a_batch_that_cannot_be_dealt_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert whole_groups(18, 4) == 16
    monkeypatch.setattr(distributed, "count", lambda: 3)
    assert whole_groups(24, 4) == 24
    with pytest.raises(UnevenBatch, match=r"(?s)3 processes.*multiple of 12.*--batch 12"):
        whole_groups(18, 4)
