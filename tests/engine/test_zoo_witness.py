"""Known answers of a witness, with witnesses whose answers follow by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dpa.engine.zoo.witness import KnownAnswers, lost_limb_shifts, outfit_shifts
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate

CPU = torch.device("cpu")
OUTFITS = ("S1", "S6")


class Brightness(nn.Module):
    """Every joint but the hip lies as many mm to the right as the picture's mean is bright, times `scale`."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def predict(self, frames: Tensor) -> Tensor:
        pose = frames.new_zeros(len(frames), 17, 3)
        pose[:, 1:, 0] = self.scale * frames.mean((1, 2, 3))[:, None]
        return pose


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PackedStore]:
    folder = tmp_path_factory.mktemp("people")
    config = SynthConfig(
        subjects=OUTFITS, actions=("Eating",), clips=1, frames=2, fps=2, size=48, workers=1, seed=5
    )
    return {one: generate(config.model_copy(update={"outfit": one}), folder / one) for one in OUTFITS}


def test_a_change_of_outfit_is_compared_with_the_bodys_own(people: dict[str, PackedStore]) -> None:
    found = outfit_shifts(Brightness(1000.0), people, CPU)  # type: ignore[arg-type]
    means = {name: store.frames[:].astype(float).mean((1, 2, 3)) / 255 for name, store in people.items()}
    apart = np.abs(means["S1"] - means["S6"]) * 1000 * 16 / 17
    assert len(found) == len(people["S1"])
    np.testing.assert_allclose(np.sort(found), np.sort(apart), rtol=1e-3)


def test_who_sees_nothing_rejects_nothing(people: dict[str, PackedStore]) -> None:
    rows = np.arange(4)
    blind = lost_limb_shifts(Brightness(0.0), people["S1"], rows, False, CPU)  # type: ignore[arg-type]
    assert blind.shape == (4, 4) and not blind.any()
    seeing = lost_limb_shifts(Brightness(1e6), people["S1"], rows, True, CPU)  # type: ignore[arg-type]
    assert (seeing > 0).all()


def test_shares_are_of_what_passes_and_of_what_is_rejected() -> None:
    known = KnownAnswers(np.array([10.0, 79, 81, 200]), np.array([[90.0, 10]]), np.array([[90.0, 100]]))
    assert known.shares() == {"passed": 50.0, "erased": 50.0, "melted": 100.0}
