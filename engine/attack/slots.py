"""A sample while it is being attacked: everything that belongs to it, in one row."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.judge import Verdict
from dpa.engine.attack.optimisers import OptimiserState, fresh_state
from dpa.engine.attack.result import AttackResult, Status
from dpa.engine.attack.rows import Rows
from dpa.engine.attack.scene import Scene


@dataclass(frozen=True)
class Slots(Rows):
    """One row a sample under attack.

    index: [n] int64. h_a: [n, A], where the next step evaluates. h_a0: [n, A], where it began.
    last_h_a: [n, A], the latest code with a finite error. best_h_a, best_error: the code with the
    largest error so far and that error [n] mm. initial_error: [n] mm and initial_frame: uint8
    [n, 3, H, W], the judge's at h_a0.
    iteration: [n] int64, updates made. judged: [n] int64, judge's passes. trace: see AttackResult.
    """

    index: Tensor
    scene: Scene
    h_a: Tensor
    h_a0: Tensor
    last_h_a: Tensor
    best_h_a: Tensor
    best_error: Tensor
    initial_error: Tensor
    initial_frame: Tensor
    state: OptimiserState
    iteration: Tensor
    judged: Tensor
    trace: Tensor

    @classmethod
    def begin(cls, index: Tensor, scene: Scene, h_a: Tensor, first: Verdict, max_steps: int) -> "Slots":
        """Samples before their first step. first: the judge's verdict on h_a."""
        n, device = len(index), h_a.device
        return cls(
            index=index,
            scene=scene,
            h_a=h_a,
            h_a0=h_a,
            last_h_a=h_a,
            best_h_a=h_a,
            best_error=torch.full((n,), -torch.inf, dtype=h_a.dtype, device=device),
            initial_error=first.error,
            initial_frame=first.frames,
            state=fresh_state(h_a),
            iteration=torch.zeros(n, dtype=torch.int64, device=device),
            judged=torch.ones(n, dtype=torch.int64, device=device),
            trace=torch.full((n, max_steps + 1), torch.nan, device=device),
        )

    def result(self, h_a: Tensor, verdict: Verdict, status: Tensor) -> AttackResult:
        """The rows as results: h_a [n, A] is the code handed out, `verdict` the judge's word on it,
        status [n] int8."""
        return AttackResult(
            index=self.index,
            success=status == Status.SUCCESS,
            status=status,
            iterations=self.iteration,
            initial_error_mm=self.initial_error,
            final_error_mm=verdict.error,
            h_a=h_a,
            h_a0=self.h_a0,
            h_p0=self.scene.pose_code,
            box=self.scene.box,
            mask=self.scene.mask,
            initial_frame=self.initial_frame,
            adversarial_frame=verdict.frames,
            initial_pose=self.scene.reference,
            final_pose=verdict.pose,
            forwards=self.iteration + 1 + self.judged,
            backwards=self.iteration + 1,
            trace=self.trace,
        )
