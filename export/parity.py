"""How far an engine is from fp32 torch, in the task's own unit, and whether it is as good a judge of attacks.
An engine over its limit is not shipped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import mpjpe
from dpa.engine.evaluation_set import default_evaluation_set
from dpa.engine.sessions.manifest import Parity, Verdicts
from dpa.engine.sessions.protocol import Session, TorchSession
from dpa.export.graphs import Graph, build_graph
from dpa.models.data.store import PackedStore
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks.base import DisentangledNetwork


def held_out_frames(data: Path | None, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two disjoint sets of at most `count` frames [N, 3, H, W] in [0, 1]: for parity, for calibration.

    data: a packed set that training never saw, the default evaluation set when None. The two come from
    different clips where there are several, `seed` draws them. Raises InputError below 2 frames.
    """
    store = default_evaluation_set() if data is None else PackedStore.open(data)
    if len(store) < 2:
        raise InputError(
            f"{len(store)} frames in {store.path}", "at least 2", "name a larger set with --data"
        )
    rows = np.random.default_rng(seed).permutation(len(store))
    calibrating = np.isin(store.sequence[rows], np.unique(store.sequence)[::2])
    if calibrating.all():
        calibrating = rows % 2 == 0
    first, second = (np.sort(rows[chosen][:count]) for chosen in (~calibrating, calibrating))
    return store.frames_at(first), store.frames_at(second)


BATCH = 32


@dataclass(frozen=True)
class GraphInputs:
    """One batch of inputs for a graph. crops: [B, 3, s, s], the true crops they stem from."""

    feeds: dict[str, Tensor]
    crops: Tensor


def probes(network: DisentangledNetwork, graph: str, frames: Tensor) -> Iterator[GraphInputs]:
    """Inputs of the named graph that arise from frames [N, 3, H, W], in batches of at most 32."""
    for part in torch.split(frames, BATCH):
        with torch.no_grad():
            crops = network.crop(part, network.localise(part))
            h_a, h_p = network.encode(crops)
        feeds = {
            "pose": {"frames": part},
            "encode": {"crops": crops},
            "decode": {"h_a": h_a, "h_p": h_p},
            "regress": {"h_p": h_p},
        }[graph]
        # contiguous copies, as the codes are two halves of one tensor
        yield GraphInputs({name: value.contiguous() for name, value in feeds.items()}, crops)


def as_poses(network: DisentangledNetwork, probe: GraphInputs, outputs: Mapping[str, Tensor]) -> Tensor:
    """The pose [B, 17, 3] mm that a graph's outputs lead to.

    A pose is itself; a pose code goes through φ; a decoded image is laid over the true crop with its
    mask, encoded and regressed, as the attack's adversarial frame is. What is downstream runs in fp32
    torch, so that only the graph's own error counts.
    """
    with torch.no_grad():
        if "pose" in outputs:
            return outputs["pose"]
        if "h_p" in outputs:
            return network.regress(outputs["h_p"])
        mask = outputs["mask"]
        shown = mask * outputs["rgb"] + (1 - mask) * probe.crops
        return network.regress(network.encode(shown)[1])


LIMITS_MM = {"fp32": 1.0, "fp16": 1.0, "bf16": 1.0, "int8": 3.0}
"""What the mean shift may be by default, by precision (the project's choice)."""


class ParityError(DpaError):
    """An engine's poses are further from fp32 torch than its limit."""

    def __init__(self, name: str, parity: Parity) -> None:
        self.name, self.parity = name, parity
        super().__init__(
            f"{name}: its poses differ from fp32 torch by {parity.mean_mm:.4g} mm in the mean "
            f"(p99 {parity.p99_mm:.4g}, max {parity.max_mm:.4g}, {parity.samples} frames"
            f"{''.join(f'; {name} {value:.2g}' for name, value in parity.code_error.items())})\n"
            f"  expected: at most {parity.limit_mm:g} mm; the engine was not shipped\n"
            f"  to do:    export in a higher precision, or raise --limit if this is good enough"
        )


def measure_parity(
    network: DisentangledNetwork, graph: Graph, session: Session, frames: Tensor, limit_mm: float
) -> Parity:
    """Compare a session with the graph's own module in fp32.

    frames: [N, 3, H, W] float32 in [0, 1], held out from training. A shift that is not finite counts
    as the largest float, so that it fails every limit and still fits into JSON.
    """
    shifts: list[Tensor] = []
    wrong = {spec.name: 0.0 for spec in graph.outputs}
    scale = dict(wrong)
    for probe in probes(network, graph.name, frames):
        with torch.no_grad():
            made = graph.module(*(probe.feeds[spec.name] for spec in graph.inputs))
        values = made if isinstance(made, tuple) else (made,)
        truth = {spec.name: value for spec, value in zip(graph.outputs, values, strict=True)}
        given = {name: value.float() for name, value in session.run(probe.feeds).items()}
        distance = as_poses(network, probe, given) - as_poses(network, probe, truth)
        shifts.append(distance.double().norm(dim=-1).mean(dim=-1).cpu())
        for name, value in truth.items():
            wrong[name] += float((given[name] - value).double().square().sum())
            scale[name] += float(value.double().square().sum())
    shift = _finite(torch.cat(shifts).numpy())
    return Parity(
        samples=len(shift),
        mean_mm=float(shift.mean()) if shift.max() < LARGEST else LARGEST,
        p99_mm=float(np.percentile(shift, 99)),
        max_mm=float(shift.max()),
        limit_mm=limit_mm,
        code_error={name: float(_finite(np.sqrt(wrong[name] / max(scale[name], 1e-30)))) for name in wrong},
    )


LARGEST = float(np.finfo(np.float64).max)


def _finite(values: "np.typing.NDArray[np.float64] | np.float64") -> "np.typing.NDArray[np.float64]":
    return np.nan_to_num(np.asarray(values, dtype=np.float64), nan=LARGEST, posinf=LARGEST)


def within_limit(parity: Parity) -> bool:
    """Whether the mean shift keeps its limit."""
    return parity.mean_mm <= parity.limit_mm


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
    config = AttackConfig(protocol="paper", max_steps=MAX_STEPS)
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
