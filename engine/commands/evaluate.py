"""`dpa-engine evaluate`: how well a network reconstructs, localises and predicts poses on a data set."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    network: Annotated[str, typer.Argument(help="zoo:NAME or a run directory.")],
    data: Annotated[Path, typer.Argument(help="Packed data set that training never saw.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """PSNR of the reconstructed crop, IoU of the localiser's box, and pose errors, per subject.

    MPJPE: 17 joints, root-relative to the hip, no alignment; N-: after scaling; P-: after Procrustes.
    """
    import json

    import numpy as np

    from dpa.engine.console import print_table
    from dpa.engine.devices import pick_device
    from dpa.models.data.store import PackedStore
    from dpa.models.training.checkpoint import load_network
    from dpa.models.training.validation import validate

    store = PackedStore.open(data)
    measured = validate(load_network(network).to(pick_device(device)), store, np.arange(len(store)))
    per_subject = {
        str(subject): measured.only(store.subject == subject).summary()
        for subject in np.unique(store.subject)
    }
    result = {"network": network, "n": len(store), **measured.summary(), "per_subject": per_subject}
    if json_:
        typer.echo(json.dumps(result))
        return
    names = list(measured.summary())
    rows = [[subject, *(f"{row[name]:.2f}" for name in names)] for subject, row in per_subject.items()]
    rows.append(["all", *(f"{value:.2f}" for value in measured.summary().values())])
    print_table(f"{network} on {len(store):,} frames of {data}", ["subject", *names], rows)
