"""Runs the whole contract on a network."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from dpa.engine.framework_check import clauses, gradients
from dpa.engine.framework_check.clauses import Subject
from dpa.engine.framework_check.finding import Breach, Finding
from dpa.engine.framework_check.probe import make_probe
from dpa.models.frameworks.base import DisentangledNetwork

Clause = tuple[str, str, Callable[[Subject], None]]
"""Name, what is expected, and the check."""

SHAPES = {
    "localise": "box [B, 4] = (sx, sy, tx, ty), float32, finite",
    "encode": "appearance code and pose code [B, …], float32, finite",
    "decode": "rgb [B, 3, s, s], with or without a mask [B, 1, s, s], float32, finite",
    "regress": "pose [B, 17, 3], float32, finite",
}


def check_network(network: DisentangledNetwork, seed: int = 0) -> list[Finding]:
    """Every clause that applies, kept or broken. What the framework raises is a breach of the clause that
    called it. seed: of the pictures."""
    subject = Subject(network, make_probe(network, seed))
    return [_judge(subject, *clause) for clause in _contract(network.can_regress)]


def _contract(with_poses: bool) -> Iterator[Clause]:
    steps = [step for step in SHAPES if with_poses or step != "regress"]
    yield "eval mode", "every module in eval mode", clauses.eval_mode
    for step in steps:
        yield f"{step}: shapes", SHAPES[step], partial(clauses.shapes, step=step)
    yield "localise: range", "sx, sy > 0, in units of half a frame", clauses.box_range
    yield "decode: colours", "RGB in [0, 1], or normalised by image_mean and image_std", clauses.colour_range
    yield "decode: mask", "in [0, 1]", clauses.mask_range
    if with_poses:
        yield "regress: units", "millimetres", clauses.pose_units
        yield "regress: root", "joint 0 (the hip) at the origin", clauses.pose_root
    for step in steps:
        yield f"{step}: determinism", "the same output twice", partial(clauses.deterministic, step=step)
        yield (
            f"{step}: batch",
            "no sample depends on its neighbours",
            partial(clauses.independent, step=step),
        )
    yield "inputs", "no step changes what it is given", clauses.inputs_untouched
    yield "gradient: colours", "rgb → appearance code", gradients.reaches_colours
    if with_poses:
        yield "gradient: pose", "pose → crop", gradients.reaches_crops
        yield "gradient: attack", "pose → composed picture → appearance code", gradients.reaches_appearance


def _judge(subject: Subject, name: str, expected: str, check: Callable[[Subject], None]) -> Finding:
    try:
        with torch.no_grad():
            check(subject)
    except Breach as breach:
        return Finding(name, expected, str(breach))
    except Exception as error:  # the user's own code may raise anything
        words = str(error).strip().splitlines()
        return Finding(name, expected, f"{type(error).__name__}: {words[0] if words else ''}")
    return Finding(name, expected)
