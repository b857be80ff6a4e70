"""`dpa-engine fit-regressor`: the supervised part, on a small share of labels."""

from pathlib import Path
from typing import Annotated

import typer


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

    from dpa.engine.console import fit_progress
    from dpa.engine.devices import pick_device
    from dpa.models.data.store import PackedStore
    from dpa.models.training.checkpoint import read_network
    from dpa.models.training.regressor_fit import RegressorConfig, fit_on_store
    from dpa.models.training.validation import validate

    trained = read_network(network).to(pick_device(device))
    store = PackedStore.open(data)
    config = RegressorConfig(fraction=fraction, steps=steps, seed=seed)
    with fit_progress() as report:
        held_out = fit_on_store(trained, network, store, config, report)
    summary = validate(trained, store, held_out).summary()
    if json_:
        typer.echo(json.dumps({"held_out_frames": len(held_out), **summary}))
        return
    typer.echo(
        f"on {len(held_out):,} held-out frames: "
        f"MPJPE {summary['mpjpe_mm']:.1f} mm (17 joints, root-relative, no alignment), "
        f"N-MPJPE {summary['n_mpjpe_mm']:.1f} mm, P-MPJPE {summary['p_mpjpe_mm']:.1f} mm"
    )
