"""Training and validation on a device that is not the CPU. After a few steps every figure is the CPU's to
1e-3 of itself: Adam's normalisation magnifies what an operation rounds otherwise."""

import numpy as np
import pytest
import torch

from dpa.models.networks import config as network_config
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.validation import validate

CPU = torch.device("cpu")
NEAR = 1e-3
TIMES = ("images_per_s", "input_wait_share")


@pytest.fixture
def preset(monkeypatch, tiny_config):
    monkeypatch.setitem(network_config.PRESETS, "small", lambda: tiny_config)


def trained(framework, store, run, device):
    """(loss terms by step, what the network reconstructs at the end): three joint steps, two refining."""
    config = TrainConfig.model_validate(
        {
            "framework": framework,
            "steps": 3,
            "batch": 8,
            "warm_up": 0,
            "localiser_start": 1,
            "log_every": 1,
            "checkpoint_every": 2,
            "validate_every": 2,
            "precision": "fp32",
            "refinement": {"steps": 2},
        }
    )
    trainer = Trainer(config, store, run, device)
    losses = []
    trainer.fit(False, lambda progress: losses.append(progress.values))
    return [{name: value for name, value in one.items() if name not in TIMES} for one in losses], validate(
        trainer.network, store, trainer.validation_rows
    ).psnr_db


@pytest.mark.usefixtures("preset")
@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet", "silhouette", "entangled"])
def test_every_framework_trains_as_on_the_cpu(framework, squares, stand_in, tmp_path):
    here, here_psnr = trained(framework, squares, tmp_path / "here", CPU)
    there, there_psnr = trained(framework, squares, tmp_path / "there", stand_in)
    assert len(here) >= 3
    for one, other in zip(here, there, strict=True):
        assert other == pytest.approx(one, rel=NEAR, abs=1e-6)
    np.testing.assert_allclose(there_psnr, here_psnr, rtol=NEAR)
