"""IOB(I, A) and IOB(I, P) of Table 3 for a study."""

from collections.abc import Mapping

from torch.nn import functional as F

from dpa.engine.analysis.codes import crops_of
from dpa.engine.analysis.figures.metrics import iob_figure
from dpa.engine.analysis.iob_training import Iob, IobConfig, information_over_bias
from dpa.engine.analysis.outcome import Outcome
from dpa.engine.analysis.study import Progress, Study
from dpa.engine.analysis.table import Table, table

AUTHORS, OURS = "authors' decoder", "without last norm"
CODES = {"A": "appearance", "P": "pose"}


def analyse_iob(study: Study, progress: Progress) -> Outcome:
    """I is the encoder's input: the crop. Both codes on the same pictures, clips and seeds."""
    config = study.config.iob
    pictures = crops_of(study.network, study.store, study.sample)
    if config.size is not None:
        pictures = F.interpolate(pictures, (config.size, config.size), mode="bilinear", antialias=True)
    codes = {"A": study.sample.appearance, "P": study.sample.pose}
    clips = study.store.sequence[study.sample.rows]
    kinds = {AUTHORS: True, OURS: False} if config.both_ends else {AUTHORS: True}
    results: dict[str, dict[str, Iob]] = {}
    for number, (kind, last_norm) in enumerate(kinds.items()):

        def report(done: int, total: int, before: int = number) -> None:
            progress(before * total + done, len(kinds) * total)

        results[kind] = information_over_bias(pictures, codes, clips, config, last_norm, report)
    return Outcome(
        iob_summary(results),
        {"iob": iob_table(results, config, len(pictures), pictures.shape[-1])},
        {"iob": iob_figure(results)},
        {code: iob.values for code, iob in results[AUTHORS].items()},
    )


def iob_summary(results: Mapping[str, Mapping[str, Iob]]) -> dict[str, float]:
    """Figures for results.json: iob_appearance, iob_pose, their spread, and both without the last norm."""
    values = {}
    for kind, ending in ((AUTHORS, ""), (OURS, "_without_last_norm")):
        for code, iob in results.get(kind, {}).items():
            values[f"iob_{CODES[code]}{ending}"] = iob.mean
            values[f"iob_{CODES[code]}{ending}_spread"] = iob.spread
    return values


def iob_table(results: Mapping[str, Mapping[str, Iob]], config: IobConfig, pictures: int, side: int) -> Table:
    """A line for each code and decoder."""
    rows = [
        [
            f"IOB(I, {code}), {kind}",
            f"{iob.mean:.3f}",
            f"{iob.spread:.3f}",
            f"{iob.values.min():.3f} to {iob.values.max():.3f}",
            f"{iob.bias_mse.mean():.4f}",
            f"{iob.code_mse.mean():.4f}",
        ]
        for kind, codes in results.items()
        for code, iob in codes.items()
    ]
    return table(
        "Information over bias (Table 3)",
        ("measure", "mean", "spread", "range", "error of ones", "error of the code"),
        rows,
        f"{config.seeds} seeds, {config.epochs} epochs, {pictures} crops of {side}², a share of"
        f" {config.train_share:g} of the clips for training; spread: standard deviation between seeds. The"
        " last instance normalisation gives every picture one mean and contrast, and so hides global colour.",
    )
