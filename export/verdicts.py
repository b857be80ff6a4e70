"""Whether an engine is as good a judge: adversarial pictures, and how many attacks would be called another
way if the engine decided in place of fp32 torch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import mpjpe
from dpa.engine.sessions.manifest import Verdicts
from dpa.engine.sessions.protocol import Session, TorchSession
from dpa.export.graphs import Graph, build_graph
from dpa.export.probes import as_poses, probes
from dpa.models.frameworks.base import DisentangledNetwork

JUDGES = frozenset({"pose", "encode", "regress"})
"""Graphs that lead from a picture to its pose: what a judge is made of."""

MAX_STEPS = 20
"""Updates at most. An attack ends where it crosses the threshold, so most pictures lie just above it and
the others below: the hardest ones to call."""


@dataclass(frozen=True)
class Trial:
    """clean, attacked: [N, 3, H, W] in [0, 1], attacked in steps of 1/255 as pictures are; threshold_mm: an
    attack has succeeded above it; succeeded: [N] bool, fp32 torch's word."""

    clean: Tensor
    attacked: Tensor
    threshold_mm: float
    succeeded: Tensor


def make_trial(network: DisentangledNetwork, frames: Tensor) -> Trial:
    """Attack frames [N, 3, H, W] in [0, 1] once, in torch; each frame is its own background plate."""
    config = AttackConfig(max_steps=MAX_STEPS)
    own_plate = torch.arange(frames.shape[0], device=frames.device)
    result = appearance_attack(network.eval(), network, frames, frames, own_plate, config)
    attacked = result.adversarial_frame.to(frames) / 255
    pose = build_graph(network, "pose")
    errors = _errors(network, pose, TorchSession(pose.module, pose.inputs, pose.outputs), frames, attacked)
    return Trial(frames, attacked, config.min_error_mm, errors > config.min_error_mm)


def call_again(network: DisentangledNetwork, graph: Graph, session: Session, trial: Trial) -> Verdicts:
    """Let the session stand in for its graph's part of the judge, on clean and attacked frames alike."""
    errors = _errors(network, graph, session, trial.clean, trial.attacked)
    flipped = (errors > trial.threshold_mm) != trial.succeeded
    return Verdicts(
        judged=flipped.shape[0],
        succeeded=int(trial.succeeded.sum()),
        flips=int(flipped.sum()),
        threshold_mm=trial.threshold_mm,
    )


def _errors(
    network: DisentangledNetwork, graph: Graph, session: Session, clean: Tensor, attacked: Tensor
) -> Tensor:
    """[N] mm between what the judge says of a frame before and after the attack."""

    def poses(frames: Tensor) -> Tensor:
        made = []
        for probe in probes(network, graph.name, frames):
            outputs = {name: value.float() for name, value in session.run(probe.feeds).items()}
            made.append(as_poses(network, probe, outputs))
        return torch.cat(made)

    return mpjpe(poses(attacked), poses(clean))
