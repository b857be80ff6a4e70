"""`dpa-engine evaluate`: how well a network reconstructs, localises and predicts poses on a data set."""

from pathlib import Path
from typing import Annotated

import typer

from dpa.engine.commands.specs import NETWORK


def evaluate(
    network: Annotated[str, typer.Argument(help=f"{NETWORK}.")],
    data: Annotated[Path, typer.Argument(help="Packed data set that training never saw.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """PSNR of the reconstructed crop, IoU of the localiser's box, and pose errors, per subject.

    MPJPE: 17 joints, root-relative to the hip, no alignment; N-: after scaling; P-: after Procrustes.
    pose_time_spearman: rank correlation of pose codes' distance and time gap over the pairs of frames of a
    video, mean over videos; true_pose_time_spearman: of the true poses. For videos of three instants or more.
    """
    import json

    import numpy as np

    from dpa.engine.console import print_table
    from dpa.engine.devices import pick_device
    from dpa.models.data.store import PackedStore
    from dpa.models.training.checkpoint import load_network
    from dpa.models.training.time_correlation import pose_time_spearman
    from dpa.models.training.validation import validate

    store = PackedStore.open(data)
    loaded, rows = load_network(network).to(pick_device(device)), np.arange(len(store))
    measured, drift = validate(loaded, store, rows), pose_time_spearman(loaded, store, rows)
    per_subject = {
        str(subject): measured.only(store.subject == subject).summary()
        for subject in np.unique(store.subject)
    }
    if json_:
        result = {"network": network, "n": len(store), **measured.summary()}
        result["pose_time_spearman"] = drift and drift.codes
        result["true_pose_time_spearman"] = drift and drift.poses
        typer.echo(json.dumps({**result, "per_subject": per_subject}))
        return
    names = list(measured.summary())
    lines = [[subject, *(f"{row[name]:.2f}" for name in names)] for subject, row in per_subject.items()]
    lines.append(["all", *(f"{value:.2f}" for value in measured.summary().values())])
    print_table(f"{network} on {len(store):,} frames of {data}", ["subject", *names], lines)
    if drift is None:
        typer.echo("pose_time_spearman: not to be had from fewer than three instants a video")
    else:
        typer.echo(f"pose_time_spearman: {drift.codes:.3f}; of the true poses: {drift.poses:.3f}")
