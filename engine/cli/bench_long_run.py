"""`dpa-engine bench long-run`: an attack that is killed and resumed beside one that is left alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dpa.engine.cli.inputs import NETWORK

if TYPE_CHECKING:
    from dpa.bench.long_run import Watched

Flag = typer.Option


def long_run(
    folder: Annotated[Path, typer.Argument(help="Where the data and both runs are written; kept.")],
    source: Annotated[
        Path | None, Flag(help="Packed set to attack. [synthetic frames, made in FOLDER/data]")
    ] = None,
    target: Annotated[str, Flag(help=f"Network that is attacked: {NETWORK}.")] = "zoo:nsd",
    samples: Annotated[int, Flag(min=1, help="Frames to attack.")] = 10_000,
    max_steps: Annotated[int, Flag(min=0, help="Updates of a sample at most.")] = 200,
    batch: Annotated[int, Flag(min=1, help="Samples attacked at once.")] = 256,
    backend: Annotated[str | None, Flag(help="How a step is computed. [the attack's own choice]")] = None,
    kills: Annotated[int, Flag(min=0, help="How often the second run is killed (SIGKILL).")] = 2,
    as_json: Annotated[bool, Flag("--json", help="Print JSON only.")] = False,
) -> None:
    """Prove that long runs survive: one attack is left alone, the same one is killed several times at even
    distances and resumed each time; then every figure of every sample is compared.

    Prints also how much memory the first one held when a tenth of the samples was done and at most in all.
    Exit code 1 where a figure differs, or where the run ended before it could be killed that often.
    """
    import json

    from dpa.bench.long_run import compare_runs, watch
    from dpa.bench.timing import circumstances
    from dpa.engine.attack.resume import began_with
    from dpa.engine.runs.directory import RESULTS, RunDirectory
    from dpa.models.data.store import PackedStore
    from dpa.models.trust import trusts_code

    trust = ["--trust-code"] if trusts_code() else []
    today, told = circumstances(), [f"--source {source}"] if source else []
    source = source or _data(folder / "data", samples)
    samples = min(samples, len(PackedStore.open(source)))
    given = [str(source), "--target", target, "--samples", str(samples), "--max-steps", str(max_steps)]
    given += ["--batch", str(batch), *trust]
    chosen = ["--backend", backend] if backend else []
    whole = watch([*given, *chosen, "--out", str(folder / "whole")], folder / "whole")
    began = began_with(RunDirectory.open(folder / "whole")) or {}
    given += ["--backend", str(began["backend"])]  # `auto` might pick another one this time
    run, parts = folder / "killed", []
    for number in range(kills + 1):
        again = ["--resume", str(run), "--target", target, *trust]
        arguments = again if number else [*given, "--out", str(run)]
        kill_at = samples * (number + 1) // (kills + 1) if number < kills else None
        parts.append(watch(arguments, run, kill_at))
    compared = compare_runs(folder / "whole", run)
    results: Any = RunDirectory.open(folder / "whole").read_json(RESULTS)
    document = compared | _measured(whole, parts, samples) | today
    told += [f"--target {target} --samples {samples} --max-steps {max_steps} --batch {batch}", *chosen]
    told += [f"--kills {kills}"]
    document |= {
        "device": results["device"],
        "command": f"dpa-engine bench long-run {folder} {' '.join(told)}",
    }
    if as_json:
        typer.echo(json.dumps(document))
    else:
        _tell(document)
    if not compared["equal"] or len(document["killed_at"]) < kills:
        raise typer.Exit(1)


def _data(path: Path, samples: int) -> Path:
    """A synthetic set of at least that many frames, made where it is not there."""
    import os

    from dpa.engine.evaluation_set import FPS, SEED, SUBJECTS
    from dpa.models.data.synthetic.generate import ACTIONS, SynthConfig, generate

    cameras = 4
    if not path.is_dir():
        frames = -(-samples // (len(SUBJECTS) * len(ACTIONS) * cameras))
        config = SynthConfig(
            subjects=SUBJECTS,
            clips=1,
            frames=frames,
            fps=FPS,
            seed=SEED + 1,
            workers=min(os.cpu_count() or 1, 8),
        )
        generate(config, path)
    return path


def _measured(whole: "Watched", parts: "list[Watched]", samples: int) -> dict[str, Any]:
    """Plain numbers: seconds of each process with its start, MB, samples on the disk at each kill."""
    return {
        "seconds": whole.seconds,
        "seconds_killed_and_resumed": [part.seconds for part in parts],
        "killed_at": [part.killed_at for part in parts if part.killed_at is not None],
        "peak_mb_until_a_tenth": whole.peak_mb(until=samples / 10),
        "peak_mb": whole.peak_mb(),
        "peak_mb_killed_and_resumed": [part.peak_mb() for part in parts],
    }


def _tell(document: dict[str, Any]) -> None:
    for key, value in document.items():
        if isinstance(value, list):
            text = ", ".join(f"{one:,.0f}" if isinstance(one, float) else str(one) for one in value)
        else:
            text = f"{value:,.3g}" if isinstance(value, float) and value < 1 else str(value)
        typer.echo(f"{key.replace('_', ' ')}: {text or '–'}")
