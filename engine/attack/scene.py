"""What stays fixed while one sample is attacked."""

from dataclasses import dataclass

from torch import Tensor

from dpa.engine.attack.rows import Rows


@dataclass(frozen=True)
class Scene(Rows):
    """One row a sample.

    pose_code: [B, P], the generator's h_p⁰. mask: [B, 1, s, s], M⁰ after its normalisations.
    box: [B, 4], where the generator found the person. plate_index: [B] int64 into the plates.
    reference: [B, J, 3] mm, the target's prediction q on the original frame.
    prefix: [B, …], whatever a step back-end computes once from the pose code; [B, 0] for none.
    """

    pose_code: Tensor
    mask: Tensor
    box: Tensor
    plate_index: Tensor
    reference: Tensor
    prefix: Tensor
