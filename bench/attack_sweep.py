"""The front of samples/s against change of the picture: each contender at several step sizes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dpa.bench.attack_contenders import UnknownContender, engine, plain
from dpa.bench.attack_rows import Contender, Task, row, run_in_turns
from dpa.engine.attack.backends.select import make_backend
from dpa.engine.attack.config import AttackConfig, OptimiserName
from dpa.engine.attack.sweep import STEP_SIZES

SERIES: dict[str, OptimiserName] = {"plain": "adam", "auto": "adam", "auto-polyak": "polyak"}
"""Who is swept, over the step sizes of which optimiser."""


def sweep_attack(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    synchronise: Callable[[], object],
    progress: Callable[[str], None],
    step_sizes: Mapping[OptimiserName, Sequence[float]] = STEP_SIZES,
) -> list[dict[str, Any]]:
    """A row as in `attack_rows.row` for each series and step size, with series, optimiser and step_size.
    All of them take turns. names: of SERIES, all by default. Raises UnknownContender."""
    for name in names or ():
        if name not in SERIES:
            raise UnknownContender(f"series {name!r}", f"one of {', '.join(SERIES)}", "name one of these")
    step = make_backend(
        task.generator, task.target, task.plates, config.model_copy(update={"backend": "auto"})
    )
    contenders: list[Contender] = []
    labels = []
    for series in names or SERIES:
        optimiser = SERIES[series]
        for size in step_sizes[optimiser]:
            tried = config.model_copy(update={"optimiser": optimiser, "step_size": size})
            name = f"{series} {size:g}"
            contenders.append(
                plain(task, tried, plain_batch, name)
                if series == "plain"
                else engine("auto", task, tried, name, step)
            )
            labels.append({"series": series, "optimiser": optimiser, "step_size": size})
    run_in_turns(contenders, rounds, synchronise, progress)
    return [
        row(one, task, config.min_error_mm) | label for one, label in zip(contenders, labels, strict=True)
    ]


def plot_sweep(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """samples/s against PSNR, a line a series, each point with its step size and success rate. Up and to
    the right is better. Writes to `path`, in the format of its suffix."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="PSNR of the adversarial frame, dB (right: changed less)", ylabel="samples/s"
    )
    for series in dict.fromkeys(line["series"] for line in rows):
        mine = [line for line in rows if line["series"] == series and line["psnr_db"] is not None]
        points = [(line["psnr_db"], line["samples_per_s"]) for line in mine]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=f"{series} ({mine[0]['optimiser']})")
        for line, point in zip(mine, points, strict=True):
            words = f"{line['step_size']:g}: {100 * line['success_rate']:.0f} %"
            axes.annotate(words, point, textcoords="offset points", xytext=(5, 4), fontsize=8)
    axes.set_yscale("log")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
