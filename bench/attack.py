"""From a data set and contenders to the document that `bench attack` prints, and to the front of samples/s
against change of the picture."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dpa.bench.attack_contenders import (
    AUTO,
    COMMAND,
    EXPERT,
    PLAIN,
    SAME,
    STEPS,
    UnknownContender,
    engine,
    make_contenders,
    plain,
)
from dpa.bench.attack_rows import Contender, Task, load_task, ratios, row, run_in_turns
from dpa.bench.config import AttackBench
from dpa.bench.roofline import matmul_gflops
from dpa.bench.step import first_scene, step_gflop
from dpa.bench.timing import circumstances
from dpa.engine.attack.config import SWEPT, AttackConfig, OptimiserName
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.run import device_in_words
from dpa.engine.attack.steps.choice import make_backend
from dpa.engine.runs.environment import versions
from dpa.export.gradient import CachedGradients

SERIES: dict[str, OptimiserName] = {PLAIN: "adam", SAME: "adam", AUTO: AttackConfig().optimiser}
"""Who is swept, over the step sizes of which optimiser."""

RATES = ("samples_per_s", "samples_per_cpu_s")
"""What may be drawn against PSNR; the second is less disturbed where the machine has other work."""


_IN_WORDS = dict(zip(RATES, ("samples/s", "samples per second of processor time"), strict=True))


def sweep_attack(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    synchronise: Callable[[], object],
    progress: Callable[[str], None],
    step_sizes: Mapping[OptimiserName, Sequence[float]] = SWEPT,
) -> list[dict[str, Any]]:
    """A row as in `attack_rows.row` for each series and step size, with series, optimiser and step_size.
    All of them take turns. names: of SERIES, all by default. Raises UnknownContender."""
    for name in names or ():
        if name not in SERIES:
            raise UnknownContender(f"series {name!r}", f"one of {', '.join(SERIES)}", "name one of these")
    fastest = config.having(backend="auto")
    step = make_backend(task.generator, task.target, task.plates, fastest, CachedGradients())
    contenders: list[Contender] = []
    labels = []
    for series in names or SERIES:
        optimiser = SERIES[series]
        for size in step_sizes[optimiser]:
            tried = config.having(optimiser=optimiser, step_size=size)
            name = f"{series} {size:g}"
            contenders.append(
                plain(task, tried, plain_batch, name)
                if series == PLAIN
                else engine(AUTO, task, tried, name, step)
            )
            labels.append({"series": series, "optimiser": optimiser, "step_size": size})
    run_in_turns(contenders, rounds, synchronise, progress)
    return [
        row(one, task, config.min_error_mm) | label for one, label in zip(contenders, labels, strict=True)
    ]


def plot_sweep(rows: Sequence[Mapping[str, Any]], path: Path, title: str = "", rate: str = RATES[0]) -> None:
    """Speed against PSNR, a line a series, each point with its step size and success rate. Up and to the
    right is better. rate: of RATES. Writes to `path`, in the format of its suffix."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="PSNR of the adversarial frame, dB (right: changed less)", ylabel=_IN_WORDS[rate], yscale="log"
    )
    for series in dict.fromkeys(line["series"] for line in rows):
        mine = [line for line in rows if line["series"] == series and line["psnr_db"] is not None]
        points = [(line["psnr_db"], line[rate]) for line in mine]
        if not points:
            continue
        label = f"{series}, {mine[0]['optimiser']}'s step: success"
        colour = axes.plot(*zip(*points, strict=True), marker="o", label=label)[0].get_color()
        for line, point in zip(mine, points, strict=True):
            words = f"{line['step_size']:g}: {100 * line['success_rate']:.0f} %"
            axes.annotate(
                words,
                point,
                textcoords="offset points",
                xytext=(5, 4),
                fontsize=8,
                color=colour,
                bbox={"pad": 0.5, "fc": "white", "ec": "none", "alpha": 0.7},
            )
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12, y=0.1)
    axes.set_title(title, fontsize=9, loc="left")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def measure_attack(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    command: str,
    progress: Callable[[str], None],
    peer_steps: int = 40,
) -> dict[str, object]:
    """rows; ratios of samples/s, of sample-iterations/s and of samples per processor second (which other
    processes disturb least); device; GFLOP/s of a matrix product (the fastest precision, and each) and of
    the fastest step. command: what repeats it; a row's own adds its name. Raises UnknownContender."""
    device, today = task.frames.device, circumstances()
    synchronise: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    matmul = matmul_gflops(device, synchronise=synchronise)
    gflop = _gflop(task, config)
    everyone = (PLAIN, EXPERT, *STEPS, SAME, AUTO, *((COMMAND,) if task.source else ()))
    contenders = make_contenders(names or everyone, task, config, plain_batch, peer_steps)
    run_in_turns(contenders, rounds, synchronise, progress)
    rows = []
    for one in contenders:
        line = row(one, task, config.min_error_mm)
        rate = line["sample_iterations_per_s"]
        rows.append(line | {"achieved_gflops": rate * gflop, "command": f"{command} --name {one.name}"})
    return {
        "rows": rows,
        "ratios": ratios(rows, "samples_per_s"),
        "ratios_sample_iterations": ratios(rows, "sample_iterations_per_s"),
        "ratios_cpu_time": ratios(rows, "samples_per_cpu_s"),
        "device": device_in_words(device),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(line["achieved_gflops"] for line in rows),
        "gflop_per_sample_iteration": gflop,
        "samples": len(task),
        "config": config.model_dump(mode="json"),
        "versions": versions(),
        **today,
        "command": command + "".join(f" --name {name}" for name in names or ()),
    }


def measure_sweep(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    command: str,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """The document of `--sweep`: as that of `measure_attack`, a row a series and step size."""
    device, today = task.frames.device, circumstances()
    synchronise: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    matmul = matmul_gflops(device, synchronise=synchronise)
    gflop = _gflop(task, config)
    rows = [
        line
        | {
            "achieved_gflops": line["sample_iterations_per_s"] * gflop,
            "command": f"{command} --name {line['series']}",
        }
        for line in sweep_attack(task, config, names, plain_batch, rounds, synchronise, progress)
    ]
    return {
        "rows": rows,
        "ratios": ratios(rows, "samples_per_s"),
        "device": device_in_words(device),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(line["achieved_gflops"] for line in rows),
        "samples": len(task),
        "config": config.model_dump(mode="json", exclude={"optimiser", "step_size"}),
        "versions": versions(),
        **today,
        "command": command + "".join(f" --name {name}" for name in names or ()),
    }


def _gflop(task: Task, config: AttackConfig) -> float:
    objective = Objective(task.generator, task.target, task.plates, config.freeze_box, config.clamp)
    return step_gflop(objective, *first_scene(task.part(0, 4)))


def bench_attack(
    settings: AttackBench,
    say: Callable[[str], None],
    *,
    sweep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The document that `bench attack` prints. say: called with what goes on; sweep: several step sizes
    instead; progress: of the evaluation set, where it has to be made."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    told = settings.model_dump(
        include={"batch", "optimiser", "step_size", "max_steps", "min_error_mm", "seed"}
    )
    config = AttackConfig.model_validate(told)
    samples, device = settings.samples, settings.device
    task = load_task(settings.source, settings.target, samples, settings.seed, device, progress)
    options = [str(settings.source)] if settings.source else []
    options += [f"--target {settings.target}", f"--samples {samples}", f"--batch {settings.batch}"]
    options += [f"--plain-batch {settings.plain_batch}", f"--optimiser {settings.optimiser}"]
    options += [f"--step-size {config.step_size:g}", f"--max-steps {settings.max_steps}"]
    options += [f"--min-error {settings.min_error_mm:g}", f"--rounds {settings.rounds}"]
    peers = {"foolbox", "art"} & set(settings.name or ())
    options += [f"--peer-steps {settings.peer_steps}"] if peers else []
    options += [f"--threads {torch.get_num_threads()}", f"--seed {settings.seed}", f"--device {device}"]
    command = " ".join(["dpa-engine bench attack", *options])
    names, rounds = settings.name, settings.rounds
    if sweep:
        command = f"{command} --sweep"
        return measure_sweep(task, config, names, settings.plain_batch, rounds, command, say)
    return measure_attack(
        task, config, names, settings.plain_batch, rounds, command, say, settings.peer_steps
    )
