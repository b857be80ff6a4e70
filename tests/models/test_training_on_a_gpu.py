"""Training and validation on a device that is not the CPU. After a few steps every figure is the CPU's to
1e-3 of itself: Adam's normalisation magnifies what an operation rounds otherwise."""

import numpy as np
import pytest
import torch

from dpa.bench.stand_in import account
from dpa.models.training.checkpoint import checkpoints, read_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import NonFiniteLoss, Trainer
from dpa.models.training.validation import validate

CPU = torch.device("cpu")
NEAR = 1e-3
TIMES = ("images_per_s", "input_wait_share")


def trained(framework, store, run, device, sizes):
    """(loss terms by step, what the network reconstructs at the end): three joint steps, two refining."""
    config = TrainConfig.model_validate(
        {
            "framework": framework,
            "sizes": sizes,
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


@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet", "silhouette", "entangled"])
def test_every_framework_trains_as_on_the_cpu(framework, squares, stand_in, tiny_sizes, tmp_path):
    here, here_psnr = trained(framework, squares, tmp_path / "here", CPU, tiny_sizes)
    there, there_psnr = trained(framework, squares, tmp_path / "there", stand_in, tiny_sizes)
    assert len(here) >= 3
    for one, other in zip(here, there, strict=True):
        assert other == pytest.approx(one, rel=NEAR, abs=1e-6)
    np.testing.assert_allclose(there_psnr, here_psnr, rtol=NEAR)


def quietly(store, sizes, **others):
    """Settings of a training that writes nothing down before its end."""
    never = dict.fromkeys(("log_every", "validate_every", "checkpoint_every"), 1000)
    common = {"sizes": sizes, "localiser_start": 1, "batch": 8, "warm_up": 0, "precision": "fp32"}
    return TrainConfig.model_validate({**common, **never, **others})


def counted(config, store, run, device):
    """(waits by reason, bytes uploaded) of a training, its construction left out."""
    trainer = Trainer(config, store, run, device)
    account.clear()
    trainer.fit(False, lambda progress: None)
    return dict(account.waits), account.up_bytes


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("framework", ["nsd", "cssl", "drnet", "silhouette", "entangled"])
def test_a_step_waits_for_nothing_and_uploads_bytes(
    framework, resident, squares, stand_in, tiny_sizes, tmp_path
):
    """Four steps more, and the same waits but for each step's event, which its successor looks at."""
    sharp = {} if framework == "silhouette" else {"features": 0.1, "matching": 0.1, "adversarial": 0.1}
    (few, few_bytes), (more, more_bytes) = (
        counted(
            quietly(
                squares,
                tiny_sizes,
                framework=framework,
                steps=steps,
                resident=resident,
                refinement={"steps": steps, **sharp},
            ),
            squares,
            tmp_path / str(steps),
            stand_in,
        )
        for steps in (2, 4)
    )
    assert more.pop("an event") - few.pop("an event") == 4
    assert more == few
    numbers = 8 * 8  # a batch's rows, int64
    frames = 0 if resident else squares.frames[:8].nbytes
    assert more_bytes - few_bytes == 4 * (frames + numbers)


def test_a_loss_that_is_not_finite_is_noticed_before_anything_is_written(
    squares, stand_in, tiny_sizes, tmp_path
):
    config = quietly(squares, tiny_sizes, steps=8).model_copy(update={"log_every": 1, "checkpoint_every": 2})
    trainer = Trainer(config, squares, tmp_path, stand_in)

    def poison(progress):
        if progress.step == 5:
            with torch.no_grad():
                trainer.network.decoder.image.bias.fill_(float("nan"))

    with pytest.raises(NonFiniteLoss, match=r"step 5: pixel nan.*\n.*step-00000004"):
        trainer.fit(False, poison)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002", "step-00000004"]
    for path in checkpoints(tmp_path):
        assert all(torch.isfinite(value).all() for value in read_network(path).state_dict().values())
