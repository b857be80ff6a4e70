"""`dpa-engine check-framework`: does a framework of one's own keep the contract?"""

from typing import Annotated

import typer

from dpa.engine.cli.inputs import NETWORK


def check_framework(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help=f"{NETWORK}.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the pictures that it is tried on.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Try a framework on random pictures: shapes, ranges, types, gradients, batches, determinism.

    Prints every clause of the contract and names each breach. Exit code 0 when all are kept, 1 when one
    is broken, 2 when the framework cannot be loaded at all.
    """
    import json
    from dataclasses import asdict

    from dpa.engine.cli.console import print_table
    from dpa.engine.framework_check.contract import check_network
    from dpa.models.devices import pick_device
    from dpa.models.frameworks.program import require_generator
    from dpa.models.training.checkpoint import load_network

    network = load_network(spec).to(pick_device(device))
    require_generator(network)
    findings = check_network(network, seed)
    broken = [one for one in findings if not one.kept]
    sizes = network.config
    facts = {
        "framework": network.framework,
        "crop_size": sizes.crop_size,
        "localiser_size": sizes.localiser_size,
        "appearance_dim": sizes.appearance_dim,
        "pose_dim": sizes.pose_dim,
        "regressor": network.can_regress,
    }
    if as_json:
        clauses = [{**asdict(one), "kept": one.kept} for one in findings]
        typer.echo(json.dumps({"spec": spec, "kept": not broken, **facts, "clauses": clauses}))
    else:
        rows = [[one.name, one.breach or "kept", "" if one.kept else one.expected] for one in findings]
        print_table(f"{spec} against the contract", ["clause", "found", "expected"], rows)
        typer.echo(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()))
        typer.echo(f"{len(broken)} of {len(findings)} clauses broken" if broken else "the contract is kept")
        if not network.can_regress:
            typer.echo("without `regress` it can be a generator, not a target")
    raise typer.Exit(1 if broken else 0)
