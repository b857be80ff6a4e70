"""Each clause of the contract, broken once by a framework that keeps all the others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.engine.framework_check.contract import check_network
from dpa.models.frameworks.foreign import ForeignNetwork


class Sound(nn.Module):
    """Keeps the contract: linear maps of a crop's mean colours, codes of odd shapes, no mask."""

    crop_size, localiser_size = 12, 10

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.codes, self.colours, self.joints = nn.Linear(27, 9), nn.Linear(9, 3), nn.Linear(6, 51)
        self.norm = nn.BatchNorm1d(9)

    def localise(self, frames: Tensor) -> Tensor:
        shift = frames.mean((1, 2, 3)) - 0.5
        return torch.stack([0.5 + 0 * shift, 0.6 + 0 * shift, shift, -shift], dim=1)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.norm(self.codes(nn.functional.adaptive_avg_pool2d(crops, 3).flatten(1)))
        return codes[:, :3], codes[:, 3:].reshape(-1, 2, 3)

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        colours = self.colours(torch.cat([appearance, pose.flatten(1)], dim=1)).sigmoid()
        return colours[:, :, None, None].expand(-1, -1, 12, 12)

    def regress(self, pose: Tensor) -> Tensor:
        joints = 200 * self.joints(pose.flatten(1)).reshape(-1, 17, 3)
        return joints - joints[:, :1]


class Boxes5(Sound):
    breaks = "localise: shapes"

    def localise(self, frames: Tensor) -> Tensor:
        return frames.new_ones(frames.shape[0], 5)


class Pixels(Sound):
    breaks = "localise: range"

    def localise(self, frames: Tensor) -> Tensor:
        return super().localise(frames) * 100


class Flipped(Sound):
    breaks = "localise: range"

    def localise(self, frames: Tensor) -> Tensor:
        return super().localise(frames) * frames.new_tensor([-1, 1, 1, 1])


class Doubles(Sound):
    breaks = "encode: shapes"

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        h_a, h_p = super().encode(crops)
        return h_a.double(), h_p


class Infinite(Sound):
    breaks = "regress: shapes"

    def regress(self, pose: Tensor) -> Tensor:
        return super().regress(pose) + torch.inf


class SmallPicture(Sound):
    breaks = "decode: shapes"

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        return super().decode(appearance, pose)[..., :6, :6]


class Bytes255(Sound):
    breaks = "decode: colours"

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        return super().decode(appearance, pose) * 255


class MaskLogits(Sound):
    breaks = "decode: mask"

    def decode(self, appearance: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        rgb = super().decode(appearance, pose)
        return rgb, rgb[:, :1] - 3


class Metres(Sound):
    breaks = "regress: units"

    def regress(self, pose: Tensor) -> Tensor:
        return super().regress(pose) / 1000


class NoRoot(Sound):
    breaks = "regress: root"

    def regress(self, pose: Tensor) -> Tensor:
        return super().regress(pose) + 10


class Sixteen(Sound):
    breaks = "regress: shapes"

    def regress(self, pose: Tensor) -> Tensor:
        return super().regress(pose)[:, :16]


class Dice(Sound):
    breaks = "encode: determinism"

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        h_a, h_p = super().encode(crops)
        return h_a + 0.01 * torch.rand_like(h_a), h_p


class Sociable(Sound):
    breaks = "regress: batch"

    def regress(self, pose: Tensor) -> Tensor:
        return super().regress(pose - pose.mean(0, keepdim=True))


class Training(Sound):
    breaks = "eval mode"

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.norm.train()
        return self


class InPlace(Sound):
    breaks = "inputs"

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        if not pose.requires_grad:
            pose.mul_(0.5)
        return super().decode(appearance, pose)


class NoGrad(Sound):
    breaks = "gradient: colours"

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        with torch.no_grad():
            return super().decode(appearance, pose)


class Detached(Sound):
    breaks = "gradient: pose"

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        return super().encode(crops.detach())


class Colourless(Sound):
    breaks = "gradient: colours"

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        return super().decode(appearance * 0, pose)


class Raises(Sound):
    breaks = "regress: shapes"

    def regress(self, pose: Tensor) -> Tensor:
        raise ValueError("no joints today")


BROKEN = [
    kind
    for kind in globals().values()
    if isinstance(kind, type) and issubclass(kind, Sound) and kind is not Sound
]


def test_a_sound_framework_keeps_every_clause() -> None:
    assert [one for one in check_network(ForeignNetwork(Sound(), "sound")) if not one.kept] == []


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_each_breach_is_named(kind: Callable[[], Sound]) -> None:
    found = {one.name: one.breach for one in check_network(ForeignNetwork(kind(), "broken"))}
    assert found[kind.breaks], found  # type: ignore[attr-defined]


def test_a_generator_without_a_regressor_is_checked_as_far_as_it_goes() -> None:
    class Painter(Sound):
        regress = None  # type: ignore[assignment]

    findings = check_network(ForeignNetwork(Painter(), "painter"))
    assert all(one.kept for one in findings)
    assert not any("regress" in one.name or "attack" in one.name for one in findings)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current folder, which a console script does not look into by itself."""
    here = Path(__file__)
    (tmp_path / "sound_module.py").write_text(here.read_text())
    monkeypatch.chdir(tmp_path)
    return "sound_module"


def test_the_command_tells_and_exits_by_the_outcome(module: str) -> None:
    kept = CliRunner().invoke(app, ["check-framework", f"{module}:Sound", "--json"])
    told = json.loads(kept.stdout)
    assert kept.exit_code == 0 and told["kept"]
    assert (told["appearance_dim"], told["pose_dim"], told["crop_size"]) == (3, 6, 12)
    broken = CliRunner().invoke(app, ["check-framework", f"{module}:Metres"])
    assert broken.exit_code == 1
    assert "metres" in broken.stdout and "1 of" in broken.stdout
