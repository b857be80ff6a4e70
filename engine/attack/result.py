"""What an attack hands out, per sample."""

from dataclasses import dataclass
from enum import IntEnum

from torch import Tensor

from dpa.engine.attack.rows import Rows


class Status(IntEnum):
    """How a sample's attack ended."""

    FAILED = 0
    SUCCESS = 1
    NONFINITE = 2


@dataclass(frozen=True)
class AttackResult(Rows):
    """One row a sample, in the order of `index`.

    index: [n] int64, the sample's number in the source.
    success: [n] bool, the judge's word. status: [n] int8, see Status; a nonfinite sample is frozen at
        its last finite state and never a success.
    iterations: [n] int64, updates of the appearance code until the attack of this sample ended.
    initial_error_mm, final_error_mm: [n] MPJPE against `initial_pose` of the frames synthesised with
        h_a0 and with h_a, both by the judge. A failed sample holds its best h_a.
    h_a, h_a0: [n, A]. h_p0: [n, P]. box: [n, 4], the generator's. mask: [n, 1, s, s], M⁰.
    initial_frame, adversarial_frame: uint8 [n, 3, H, W], synthesised before and after the attack.
    initial_pose: [n, J, 3] mm, q on the original frame. final_pose: [n, J, 3] mm on the adversarial one.
    forwards, backwards: [n] int64, passes through generator and target spent on this sample.
    trace: [n, max_steps + 1] float32 mm, best error so far at each iteration; NaN after its last.
    """

    index: Tensor
    success: Tensor
    status: Tensor
    iterations: Tensor
    initial_error_mm: Tensor
    final_error_mm: Tensor
    h_a: Tensor
    h_a0: Tensor
    h_p0: Tensor
    box: Tensor
    mask: Tensor
    initial_frame: Tensor
    adversarial_frame: Tensor
    initial_pose: Tensor
    final_pose: Tensor
    forwards: Tensor
    backwards: Tensor
    trace: Tensor
