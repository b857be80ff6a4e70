"""report.md of an attack: our table beside the paper's, image similarity, how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dpa.engine.attack.summary import PROTOCOL, data_note, method_in_words
from dpa.engine.report.markdown import figure_text, markdown_table
from dpa.engine.report.paper import (
    FRAMEWORKS,
    TABLE_1,
    TABLE_1_AVERAGES,
    TABLE_1_OVERALL,
    TABLE_2,
    Errors,
    recomputed_average,
    recomputed_overall,
)

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """What was attacked. frames: in words; source: where the store says they come from."""

    frames: str
    source: str


def attack_markdown(
    results: Results, image_in_box: Mapping[str, float | None], data: Data, already: int
) -> str:
    """The page. results: see `attack.summary.summarise`; image_in_box: ssim, psnr_db and mse inside the
    person's box; already: successes that needed no update, because
    the reconstruction alone moved the pose above the threshold."""
    return "\n".join(
        [
            f"# Appearance-only attack on {results['target']}",
            "",
            _headline(results, already),
            "",
            f"> **Data**: {data.frames}. {data_note(data.source)}",
            ">",
            f"> **Protocol**: {PROTOCOL}.",
            "",
            "![Samples](figures/samples.png)",
            "",
            "Columns are samples: for each subject the success whose picture changed by the median amount"
            " of that subject's successes. Rows as in the paper's Figure 7: input; reconstruction by the"
            " generator; adversarial image; the target's 3D pose on the input; its pose on the adversarial"
            " image, the former pale behind it (left side blue, right side orange). Below: error, and PSNR"
            " between reconstruction and adversarial frame.",
            "",
            "## Error before and after",
            "",
            _errors_table(results),
            _errors_note(data),
            "",
            "![Error against iterations](figures/errors.png)",
            "",
            "## Image change",
            "",
            "Adversarial against synthesised image, as the paper's Table 2. SSIM: scikit-image, 7×7 uniform"
            " window. What the paper took the measures over, frame or crop, it does not say.",
            "",
            _image_table(results, image_in_box),
            f"NSD, DRNet and CSSL: the paper's Table 2, on Human3.6M. Ours: source '{data.source}'.",
            "",
            "## How it was made",
            "",
            _settings(results),
            "",
            "The settings in force are in `config.resolved.yaml`, the command in `command.txt`, one row a"
            " sample in `samples.parquet/`, the pictures in `adversarial/`.",
            "",
        ]
    )


def _headline(results: Results, already: int) -> str:
    unattacked = f" ({already} of them before any update)" if already else ""
    left_out = sum(results.get(key, 0) for key in ("nonfinite", "no_gradient"))
    without = f" {left_out:,} samples are left out: no finite numbers, or no gradient." if left_out else ""
    limits = f"exceed {results['min_error_mm']:g} mm within {results['max_steps']}"
    return (
        f"Changing nothing but the appearance code, **{100 * results['success_rate']:.1f} %** of"
        f" {results['n'] - left_out:,} samples {limits}"
        f" updates{unattacked}: mean error {figure_text(results['mpjpe_initial_mm'])} mm before the attack,"
        f" {figure_text(results['mpjpe_final_mm'])} mm after it. Errors are against the target's own"
        f" prediction on the original frame, {_truth(results)}.{without}"
    )


def _truth(results: Results) -> str:
    """How far that prediction is right, for a subordinate clause; films come without poses."""
    error = results["mpjpe_ground_truth_mm"]
    if error is None:
        return "which cannot be compared with a true pose: these data hold none"
    return f"which is {figure_text(error)} mm from the true pose"


def _errors_table(results: Results) -> str:
    """Ours per subject beside the paper's Table 1, with its averages as printed and recomputed."""
    ours: Mapping[str, Any] = results["per_subject"]
    columns = ["subject", "n", "success", "**ours** initial", "**ours** final"]
    columns += [f"{name} {part}" for name in FRAMEWORKS for part in ("initial", "final")]
    rows = []
    for subject in [*ours, *(name for name in TABLE_1 if name not in ours)]:
        row = ours.get(subject)
        left = _ours(row) if row else ["–"] * 4
        rows.append([subject, *left, *_cells(TABLE_1.get(subject))])
    averages = [
        fmean(values) if (values := [row[key] for row in ours.values() if row[key] is not None]) else None
        for key in ("initial_mm", "final_mm")
    ]
    mean = ["", "", figure_text(averages[0]), figure_text(averages[1])]
    rows.append(
        ["mean of the subjects, recomputed", *mean, *_cells([recomputed_average(f) for f in FRAMEWORKS])]
    )
    rows.append(["average, as printed", "", "", "", "", *_cells(TABLE_1_AVERAGES)])
    rows.append(
        [
            "all samples",
            str(results["n"]),
            _percent(results["success_rate"]),
            figure_text(results["mpjpe_initial_mm"]),
            figure_text(results["mpjpe_final_mm"]),
            *_cells(None),
        ]
    )
    return markdown_table(columns, rows)


def _ours(row: Mapping[str, Any]) -> list[str]:
    return [
        str(row["n"]),
        _percent(row["success_rate"]),
        figure_text(row["initial_mm"]),
        figure_text(row["final_mm"]),
    ]


def _cells(errors: list[Errors] | tuple[Errors, ...] | None) -> list[str]:
    if errors is None:
        return ["–"] * (2 * len(FRAMEWORKS))
    return [f"{value:.1f}" for cell in errors for value in cell]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _errors_note(data: Data) -> str:
    overall = recomputed_overall()
    return (
        "MPJPE in mm. NSD, DRNet and CSSL: the paper's Table 1, on Human3.6M. Its printed averages do not"
        " all follow from its columns, so both are shown; over all fifteen cells it prints"
        f" {TABLE_1_OVERALL.initial} and {TABLE_1_OVERALL.final}, recomputed {overall.initial:.1f} and"
        f" {overall.final:.1f}. Ours: source '{data.source}'."
    )


def _image_table(results: Results, image_in_box: Mapping[str, float | None]) -> str:
    names = (("ssim", "SSIM", 3), ("psnr_db", "PSNR (dB)", 2), ("mse", "MSE", 4))
    rows = [
        [
            title,
            figure_text(results["image"][name], digits),
            figure_text(image_in_box[name], digits),
            *(f"{value:g}" for value in TABLE_2[name]),
        ]
        for name, title, digits in names
    ]
    return markdown_table(["", "**ours**, frame", "**ours**, person's box", *FRAMEWORKS], rows)


def _settings(results: Results) -> str:
    iterations, speed = results["iterations"], results["throughput"]
    facts = {
        "target": results["target"],
        "generator": results["generator"],
        "samples": f"{results['n']:,}, drawn with seed {results['seed']}",
        "method": method_in_words(results["method"]),
        "iterations": f"mean {iterations['mean']:.1f}, median {iterations['p50']:.0f},"
        f" 90th percentile {iterations['p90']:.0f}, most {iterations['max']}",
        "speed": f"{speed['samples_per_s']:.2f} samples/s,"
        f" {speed['sample_iterations_per_s']:.0f} sample-iterations/s",
        "device": results["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
