"""`dpa-engine train`, `fit-regressor`, `evaluate`: from a data set to a network and its errors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from dpa.models.data.store import PackedStore
    from dpa.models.frameworks.base import DisentangledNetwork

from dpa.engine.cli.inputs import NETWORK


def train(
    data: Annotated[Path, typer.Argument(help="Packed data set, e.g. from `dpa-engine data synth`.")],
    out: Annotated[Path, typer.Option(help="Run directory: checkpoints, logs, picture grids, the network.")],
    framework: Annotated[
        str | None,
        typer.Option(
            help="nsd, cssl or drnet; for calibration silhouette, entangled or oracle-swap  [default: nsd]"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="tiny (first tries), small (CPU), medium (GPU) or paper (NSD's)  [default: small]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of joint training  [default: 20000]")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="End by the clock; phases and learning rates follow it.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Frames a step  [default: 64]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's rate  [default: 0.001]")] = None,
    augment: Annotated[
        str | None,
        typer.Option(help="rgb-jitter, augmix or cutmix, on what the encoder sees  [default: none]"),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="bf16 (autocast), tf32 (on a GPU) or fp32  [default: bf16]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Initial weights, batches, dropout  [default: 0]")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings; the flags win.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="One setting, e.g. weights.frame=0.5")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest checkpoint in --out.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a framework without any pose annotation.

    The localiser starts from background subtraction, then everything is trained jointly. With
    `--set refinement.steps=2000`, as for the zoo, the decoder then learns on alone, so that its frames,
    localised and read again, show the pose of the originals: attacks then start from a smaller error. A
    killed run goes on with --resume and, on a CPU, ends with the same weights. Then: `dpa-engine
    fit-regressor`.

    In several processes, one for each GPU, with the same result at the same --batch:
    `torchrun --nproc-per-node 4 --no-python dpa-engine train …`
    """
    from contextlib import nullcontext

    from dpa.engine.cli.progress import of_training, shown
    from dpa.models import distributed
    from dpa.models.config import load_config
    from dpa.models.data.store import PackedStore
    from dpa.models.devices import pick_device
    from dpa.models.training.config import TrainConfig
    from dpa.models.training.loop import Trainer

    flags = {
        "framework": framework,
        "preset": preset,
        "steps": steps,
        "minutes": minutes,
        "batch": batch,
        "learning_rate": learning_rate,
        "augment": augment,
        "precision": precision,
        "seed": seed,
    }
    settings = load_config(TrainConfig, config, set_ or (), flags)
    store = PackedStore.open(data)
    with distributed.joined(pick_device(device)) as own:
        trainer = Trainer(settings, store, out, own)
        first = distributed.rank() == 0
        with shown("training") if first else nullcontext() as show:
            trainer.fit(resume, of_training(show) if show else lambda progress: None)
    if first:
        typer.echo(f"waited for data: {100 * trainer.input_wait_share:.1f} % of the time", err=True)
        typer.echo(str(out))


def fit_regressor(
    network: Annotated[Path, typer.Argument(help="Run directory of `dpa-engine train`; φ is added to it.")],
    data: Annotated[Path, typer.Argument(help="Packed data set with poses.")],
    fraction: Annotated[float, typer.Option(help="Labelled share of the training frames.")] = 0.1,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 4000,
    seed: Annotated[int, typer.Option(help="Fixes the labelled frames and the fit.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fit the pose regressor on pose codes, the encoder frozen and in eval mode.

    Only sequences that trained the network lend labels; its validation sequences then give the error.
    MPJPE: 17 joints, root-relative to the hip, no alignment.
    """
    import json

    from dpa.engine.cli.progress import shown
    from dpa.models.data.store import PackedStore
    from dpa.models.devices import pick_device
    from dpa.models.training.checkpoint import read_network
    from dpa.models.training.regressor_fit import RegressorConfig, fit_on_store
    from dpa.models.training.validation import validate

    trained = read_network(network).to(pick_device(device))
    store = PackedStore.open(data)
    config = RegressorConfig(fraction=fraction, steps=steps, seed=seed)
    with shown() as show:
        held_out = fit_on_store(trained, network, store, config, show)
    measured = validate(trained, store, held_out)
    summary = measured.summary()
    if json_:
        counted = {"held_out_frames": len(held_out), "nonfinite": measured.nonfinite}
        typer.echo(json.dumps({**counted, **summary}))
        measured.require_sound()
        return
    typer.echo(
        f"on {len(held_out):,} held-out frames: "
        f"MPJPE {summary['mpjpe_mm']:.1f} mm (17 joints, root-relative, no alignment), "
        f"N-MPJPE {summary['n_mpjpe_mm']:.1f} mm, P-MPJPE {summary['p_mpjpe_mm']:.1f} mm"
    )
    measured.require_sound()


def evaluate(
    network: Annotated[str, typer.Argument(help=f"{NETWORK}.")],
    data: Annotated[Path, typer.Argument(help="Packed data set that training never saw.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    detector: Annotated[
        bool, typer.Option("--detector", help="Also ask a detector that was trained on photographs.")
    ] = False,
    attacked: Annotated[
        bool, typer.Option("--attacked", help="With --detector: of the frames after an attack, too.")
    ] = False,
    final: Annotated[
        bool,
        typer.Option("--final", help="With --detector: on the clips kept for final figures."),
    ] = False,
) -> None:
    """PSNR of the reconstructed crop, IoU of the localiser's box, and pose errors, per subject.

    MPJPE: 17 joints, root-relative to the hip, no alignment; N-: after scaling; P-: after Procrustes.
    pose_time_spearman: rank correlation of pose codes' distance and time gap over the pairs of frames of a
    video, mean over videos; true_pose_time_spearman: of the true poses. For videos of three instants or more.

    --detector (extra `detector`): of the people whom BlazePose finds in the input, the share that it finds in
    the frame that the network synthesises, and the share whose pose it reads alike there: twelve keypoints
    shifted by less than a quarter of a torso's length, on average. With 95 % intervals over clips.
    """
    import json

    import numpy as np

    from dpa.engine.cli.console import print_table
    from dpa.models.data.store import PackedStore
    from dpa.models.devices import pick_device
    from dpa.models.training.checkpoint import load_network
    from dpa.models.training.validation import pose_time_spearman, validate

    store = PackedStore.open(data)
    loaded, rows = load_network(network).to(pick_device(device)), np.arange(len(store))
    measured = validate(loaded, store, rows)
    drift = None if measured.nonfinite else pose_time_spearman(loaded, store, rows)
    per_subject = measured.per_subject(store.subject)
    if json_:
        result = {"network": network, "n": len(store), "nonfinite": measured.nonfinite, **measured.summary()}
        result["pose_time_spearman"] = drift and drift.codes
        result["true_pose_time_spearman"] = drift and drift.poses
        if detector:
            result["detector"] = _detected(loaded, store, attacked, final)
        typer.echo(json.dumps({**result, "per_subject": per_subject}))
        measured.require_sound()
        return
    names = list(measured.summary())
    lines = [[subject, *(f"{row[name]:.2f}" for name in names)] for subject, row in per_subject.items()]
    lines.append(["all", *(f"{value:.2f}" for value in measured.summary().values())])
    print_table(f"{network} on {len(store):,} frames of {data}", ["subject", *names], lines)
    if drift is None:
        typer.echo("pose_time_spearman: not to be had from fewer than three instants a video")
    else:
        typer.echo(f"pose_time_spearman: {drift.codes:.3f}; of the true poses: {drift.poses:.3f}")
    if detector:
        for stage, seen in _detected(loaded, store, attacked, final).items():
            typer.echo(_told(stage, seen))
    measured.require_sound()


def _detected(
    network: "DisentangledNetwork", store: "PackedStore", attacked: bool, final: bool
) -> dict[str, dict[str, float | int | None]]:
    """The detector's summary of each stage."""
    from dpa.engine.attack.algorithm import appearance_attack
    from dpa.engine.attack.config import AttackConfig
    from dpa.engine.detection import blaze_pose, half, measure

    def attack(frames: "Tensor", plates: "Tensor", index: "Tensor") -> "tuple[Tensor, Tensor]":
        result = appearance_attack(network, network, frames, plates, index, AttackConfig())
        return result.initial_frame, result.adversarial_frame

    seen = measure(network, store, half(store, final), blaze_pose(), attack if attacked else None)
    return {stage: one.summary() for stage, one in seen.items()}


def _told(stage: str, seen: dict[str, float | int | None]) -> str:
    def share(name: str) -> str:
        value, low, high = (seen[key] for key in (name, f"{name}_low", f"{name}_high"))
        if value is None:
            return "–"
        between = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
        return f"{100 * value:.1f} %{between}"

    return (
        f"{stage}: of {seen['found_in_input']} people found in the input, {share('found')} found, "
        f"{share('alike')} read alike"
    )
