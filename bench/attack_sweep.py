"""The front of samples/s against change of the picture: each contender at several step sizes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dpa.bench.attack_contenders import AUTO, PLAIN, SAME, UnknownContender, engine, plain
from dpa.bench.attack_rows import Contender, Task, row, run_in_turns
from dpa.engine.attack.config import SWEPT, AttackConfig, AttackRunConfig, OptimiserName
from dpa.engine.attack.steps.choice import make_backend

SERIES: dict[str, OptimiserName] = {PLAIN: "adam", SAME: "adam", AUTO: AttackRunConfig().optimiser}
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
