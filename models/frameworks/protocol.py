"""What a framework of the user's own must offer. `dpa-engine check-framework SPEC` tries it out.

A specification `my_package.my_module:load` names a function without arguments (or a class) that returns
an object as described here. It is then a network like any other: `--target`, `--generator`, `analyze`,
`evaluate`, `export` and `report` take it.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Framework(Protocol):
    """A trained disentangled network: an `nn.Module` in eval mode with these methods.

    B is any batch size; no sample may depend on its neighbours, and the same input always gives the same
    output. Everything is float32, on the device that the module was moved to. `localise`, `encode`,
    `decode` and `regress` must be differentiable: the attack follows the pose error back to the
    appearance code through all four.

    Codes may have any shape behind the batch dimension, as long as it is always the same.
    """

    crop_size: int
    """s: the side in pixels of what `encode` takes and `decode` makes."""

    def localise(self, frames: Tensor, /) -> Tensor:
        """Where the person is. frames [B, 3, t, t] → box θ [B, 4] = (sx, sy, tx, ty), sx and sy > 0.

        The box covers, in frame coordinates from -1 to 1 across the frame's edges (`align_corners=False`),
        x from tx - sx to tx + sx, and y likewise. The tool resizes whole frames to t = `localiser_size`
        before, and cuts the crop out itself (bilinear, zero outside the frame). A framework without a
        localiser returns (1, 1, 0, 0): the whole frame.
        """
        ...

    def encode(self, crops: Tensor, /) -> tuple[Tensor, Tensor]:
        """crops [B, 3, s, s] → appearance code [B, …], pose code [B, …]."""
        ...

    def decode(self, appearance: Tensor, pose: Tensor, /) -> Tensor | tuple[Tensor, Tensor]:
        """Codes → rgb [B, 3, s, s], or rgb and mask [B, 1, s, s] in [0, 1].

        Where the mask is 0 the background plate shows. Without a mask the crop covers its box entirely.
        """
        ...

    def regress(self, pose: Tensor, /) -> Tensor:
        """Pose code → [B, 17, 3] mm, root-relative (joint 0, the hip, at 0), camera axes: x right, y down,
        z forward. Joints in the order of `dpa.models.data.contract.JOINT_NAMES`."""
        ...


class FrameworkOptions(Protocol):
    """What a framework may say beside, as attributes; all of them may be left out."""

    framework: str
    """Its name in figures and tables; by default the specification."""
    localiser_size: int
    """t: the side in pixels of what `localise` takes; by default `crop_size`."""
    image_mean: Sequence[float]
    image_std: Sequence[float]
    """Its own image normalisation, one number a channel. `localise` and `encode` are then given
    (image - mean) / std of RGB in [0, 1], and what `decode` returns is taken as normalised likewise. By
    default 0 and 1: images in [0, 1]."""
