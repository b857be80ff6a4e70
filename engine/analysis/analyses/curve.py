"""Success against reach: how many attacks succeed within balls of natural appearances of growing radius,
beside what needs no gradient at the same reach. Beyond the paper, whose Algorithm 1 has no ball: the last
point."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field

from dpa.engine.analysis.measures import Measure
from dpa.engine.analysis.registry import Analysis, FigureSpec
from dpa.engine.analysis.study import Outcome, Progress, Study
from dpa.engine.analysis.values import Cell, Table, count, number, table, words
from dpa.engine.attack.algorithm import appearance_attack, ball_of
from dpa.engine.attack.appearance import AppearanceDistribution, radius_of
from dpa.engine.attack.config import AttackConfig, BackendName
from dpa.engine.attack.evidence import BASELINES, WITHIN_MM, Attacked, baseline_errors, witness_shift
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.natural import default_natural_set, natural_appearance
from dpa.engine.attack.state import AttackResult, Scene, Status
from dpa.engine.drawing.grid import Shown
from dpa.engine.drawing.style import INK, MUTED, PALETTE, TEXT, blank_figure, legend_above, plain
from dpa.engine.evaluation_set import Samples, choose_samples, samples_at
from dpa.engine.intervals import mean_interval
from dpa.models.config import Config
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import load_network

BUDGETS = ("0.5", "0.8", "0.95", "max", "2max", "none")
KINDS = ("success", "clean", *BASELINES, "beyond")


class CurveConfig(Config):
    """frames: attacked at each radius. max_steps, backend: of each attack, whose optimiser is the default.
    witness: who says whether a success is clean; "" for nobody."""

    frames: int = Field(64, ge=2)
    max_steps: int = Field(100, ge=1)
    backend: BackendName = "fused"
    witness: str = "zoo:witness"


def curve_point(
    network: DisentangledNetwork,
    some: Samples,
    subjects: NDArray[np.str_],
    real: AppearanceDistribution,
    config: AttackConfig,
    witness: DisentangledNetwork | None,
) -> dict[str, NDArray[np.bool_]]:
    """Which of n samples the attack and each baseline move above the threshold within a budget, which of the
    successes are clean, and which codes lie beyond every real one, [n] each. Who starts above the threshold,
    or is not finite, succeeds with nothing. subjects: [n] names; config: with a budget."""
    result = appearance_attack(
        network, network, some.frames, some.plates, some.plate_index, config, real=real
    )
    ball = ball_of(config, real, some.plates)
    assert ball is not None
    judge = Judge(network, network, some.plates)
    attacked = Attacked(some.rows, subjects, result.h_a0, result.h_a, _scene(result, some), judge)
    below = (result.initial_error_mm <= config.min_error_mm).cpu().numpy()
    errors = baseline_errors(attacked, real, ball, config.seed)
    made = ~np.isin(result.status.cpu().numpy(), (Status.NONFINITE, Status.STARTED_ABOVE))
    success = result.success.cpu().numpy()
    moved = np.full(len(success), np.nan) if witness is None else witness_shift(attacked, witness)
    return {
        "success": success,
        "clean": success & (moved <= WITHIN_MM),
        **{name: below & (error > config.min_error_mm) for name, error in errors.items()},
        "beyond": made & (real.radius(result.h_a.double().cpu().numpy()) > real.farthest),
    }


def _scene(result: AttackResult, some: Samples) -> Scene:
    """What stayed fixed, as the judge paints it again."""
    return Scene(
        pose_code=result.h_p0,
        mask=result.mask,
        box=result.box,
        plate_index=some.plate_index,
        reference=result.initial_pose,
        prefix=result.h_a0.new_empty(len(result), 0),
    )


def run(study: Study, progress: Progress) -> Outcome:
    """One attack at each of BUDGETS on the same frames."""
    options = study.options("curve", CurveConfig)
    store, settings = study.store, study.config
    network = cast(DisentangledNetwork, study.network)
    rows = choose_samples(store, options.frames, settings.seed, settings.subjects)
    natural = default_natural_set() if settings.source is None else None
    real = natural_appearance(network, store, rows, natural, study.device)
    witness = load_network(options.witness).to(study.device) if options.witness else None
    some, clips = samples_at(store, rows, study.device), store.sequence[rows]
    points = []
    for done, budget in enumerate(BUDGETS):
        progress(done, len(BUDGETS))
        config = AttackConfig(budget=budget, max_steps=options.max_steps, backend=options.backend)
        points.append(curve_point(network, some, store.subject[rows].astype(str), real, config, witness))
    progress(len(BUDGETS), len(BUDGETS))
    radii = np.array([_radius(real, budget) for budget in BUDGETS])
    shares = {kind: np.array([point[kind].mean() for point in points]) for kind in KINDS}
    ends = np.array([mean_interval(point["success"], clips) or (np.nan, np.nan) for point in points])
    summary = {
        f"curve_{kind}_{budget}": float(shares[kind][i]) for kind in KINDS for i, budget in enumerate(BUDGETS)
    }
    for i, budget in enumerate(BUDGETS):
        summary |= {
            f"curve_success_{budget}_{end}": float(ends[i, j]) for j, end in enumerate(("low", "high"))
        }
    arrays = {"radii": radii, "low": ends[:, 0], "high": ends[:, 1], **shares}
    return Outcome(summary, {"curve": curve_table(arrays, len(rows), options.witness)}, arrays)


def _radius(real: AppearanceDistribution, budget: str) -> float:
    radius = radius_of(budget)(real)
    return np.inf if radius is None else radius


def curve_table(arrays: dict[str, NDArray[np.float64]], n: int, witness: str) -> Table:
    """A line for each radius."""
    rows: list[list[Cell]] = []
    for i, budget in enumerate(BUDGETS):
        interval = (float(arrays["low"][i]), float(arrays["high"][i]))
        shares = [number(float(arrays[kind][i]), 1, "%") for kind in KINDS[1:] if kind != "clean" or witness]
        success = number(float(arrays["success"][i]), 1, "%", interval=interval)
        rows.append([words(budget), number(float(arrays["radii"][i]), 1), success, *shares, count(n)])
    columns = ["budget", "radius", "success (%)", *(["clean (%)"] if witness else [])]
    columns += [f"{told} (%)" for told in BASELINES.values()]
    return table(
        "curve",
        "Success against reach",
        (*columns, "beyond every real code (%)", "n"),
        rows,
        "Radius: of the ball of codes, in units of the spread of real ones (none: no ball). Success: MPJPE"
        " above 175 mm, with 95 % intervals over clips; clean: the witness still reads the same pose"
        f" within {WITHIN_MM:g} mm. Beside it, what needs no gradient, put into the same ball.",
    )


def draw(shown: Sequence[Shown], frames: bool) -> Figure:
    """A panel a network: success with its interval, and the baselines, against the radius."""
    there = [one for one in shown if one.arrays]
    figure = blank_figure(3.6 * max(1, len(there)), 3.0)
    names = ("success", "clean", *BASELINES)
    axes = figure.subplots(1, max(1, len(there)), squeeze=False)[0]
    for axis, one in zip(axes, there, strict=False):
        places = np.arange(len(BUDGETS))
        axis.fill_between(
            places, 100 * one.arrays["low"], 100 * one.arrays["high"], color=PALETTE[0], alpha=0.2
        )
        for name, colour in zip(names, PALETTE, strict=False):
            axis.plot(places, 100 * one.arrays[name], marker="o", ms=3, lw=1.4, color=colour, label=name)
        labels = [
            f"{b}\n{r:.0f}" if np.isfinite(r) else b
            for b, r in zip(BUDGETS, one.arrays["radii"], strict=True)
        ]
        axis.set(
            xticks=places, xticklabels=labels, ylim=(-3, 103), xlabel="budget, radius", ylabel="success (%)"
        )
        axis.axvline(3, color=MUTED, lw=1, ls="--")
        axis.set_title(one.title, **TEXT)
        plain(axis)
    if there:
        legend_above(figure, axes[0])
    else:
        axes[0].text(0.5, 0.5, "no network", ha="center", color=INK)
    return figure


ANALYSIS = Analysis(
    name="curve",
    title="success against reach",
    run=run,
    options=CurveConfig,
    measures=(
        Measure(
            "curve_success_0.95", "success within 95 % of real codes", "%", digits=1, null="0", summary=False
        ),
    ),
    figures=(
        FigureSpec(
            "curve",
            "Success against reach",
            draw,
            "How many attacks succeed inside balls of natural appearances of growing radius (in units of the"
            " spread of real codes; right of the dashed line lies nobody's code), how many are clean by a"
            " witness, and what random directions, one real code and the best of 40 do with the same reach."
            " Band: 95 % over clips.",
            file="curve",
        ),
    ),
    slow=True,
)
