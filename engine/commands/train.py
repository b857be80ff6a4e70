"""`dpa-engine train`: self-supervised training of one framework."""

from pathlib import Path
from typing import Annotated

import typer


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
        typer.Option(
            help="tiny (first tries), small (CPU) or paper (NSD's sizes, for a GPU)  [default: small]"
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of joint training  [default: 20000]")] = None,
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

    from dpa.engine.console import training_progress
    from dpa.engine.devices import pick_device
    from dpa.models import processes
    from dpa.models.config import load_config
    from dpa.models.data.store import PackedStore
    from dpa.models.training.config import TrainConfig
    from dpa.models.training.loop import Trainer

    flags = {
        "framework": framework,
        "preset": preset,
        "steps": steps,
        "batch": batch,
        "learning_rate": learning_rate,
        "augment": augment,
        "precision": precision,
        "seed": seed,
    }
    settings = load_config(TrainConfig, config, set_ or (), flags)
    store = PackedStore.open(data)
    with processes.joined(pick_device(device)) as own:
        trainer = Trainer(settings, store, out, own)
        first = processes.rank() == 0
        with (
            training_progress(settings.total_steps) if first else nullcontext(lambda progress: None) as report
        ):
            trainer.fit(resume, report)
    if first:
        typer.echo(f"waited for data: {100 * trainer.input_wait_share:.1f} % of the time", err=True)
        typer.echo(str(out))
