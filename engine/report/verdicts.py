"""Beside the paper, honestly: under each of its figures and tables one line that says whether what was
measured here agrees."""

from collections.abc import Mapping
from typing import Any

from dpa.engine.analysis.claims import Claim, Figures, beyond, exceeds, more
from dpa.engine.analysis.measures import CSSL, CSSL_DA, DRNET, NSD
from dpa.engine.analysis.registry import PLAIN, FigureSpec
from dpa.engine.report.findings import Findings, NetworkFindings, paper_title

OF_TABLES: Mapping[str, tuple[Claim, ...]] = {
    "table1": (
        Claim(
            "the generator rebuilds faithfully, and the attack multiplies the error",
            "the error after the attack is above that before it; intervals do not touch",
            exceeds("final_mm", "initial_mm", PLAIN, ("after", "before")),
        ),
    ),
    "table2": (
        Claim(
            "DRNet is broken by smaller changes of the picture than NSD and CSSL",
            "DRNet's PSNR over the frame is the highest; intervals do not touch",
            more("psnr_db", DRNET, [NSD, CSSL], "dB"),
        ),
    ),
    "table3": (
        Claim(
            "DRNet's codes are the least correlated",
            "DC(A, P) of NSD and of CSSL is above DRNet's; intervals do not touch",
            lambda networks: [
                *more("dc", NSD, [DRNET])(networks),
                *more("dc", CSSL, [DRNET])(networks),
            ],
        ),
        Claim(
            "the pose code holds more of the picture than the appearance code",
            "IOB(I, P) is above IOB(I, A) by more than two standard deviations between seeds of each",
            exceeds("iob_pose", "iob_appearance", PLAIN, ("IOB(I, P)", "IOB(I, A)")),
        ),
    ),
    "table4": (
        Claim(
            "with augmentation larger changes of the picture are needed",
            "PSNR over the frame is higher without augmentation; intervals do not touch",
            more("psnr_db", CSSL, [CSSL_DA], "dB"),
        ),
        Claim(
            "attacks on CSSL (DA) remain successful",
            "more than half of them succeed",
            beyond("success_rate", 0.5, [CSSL_DA], unit="%"),
        ),
    ),
}
"""What the paper says of its tables."""


def results_by_title(findings: Findings) -> dict[str, Figures]:
    """Every network that the paper has, by its name there: what its analyses and its own attack found."""
    return {
        title: figures_of(one)
        for one in reversed(findings.networks)
        if (title := paper_title(one.role)) is not None
    }


def figures_of(network: NetworkFindings) -> dict[str, float | None]:
    """Figures by name, with the ends of their intervals."""
    results = network.attack.results
    told: dict[str, float | None] = dict(network.summary)
    for name in ("initial_mm", "final_mm"):
        told |= _with_ends(name, results, f"mpjpe_{name}")
    told |= _with_ends("success_rate", results, "success_rate")
    for name in ("ssim", "psnr_db", "mse"):
        told |= _with_ends(name, results["image"], name)
    return told


def _with_ends(name: str, results: Mapping[str, Any], key: str) -> dict[str, float | None]:
    return {f"{name}{end}": results.get(f"{key}{end}") for end in ("", "_low", "_high")}


def of_figure(spec: FigureSpec, findings: Findings) -> list[str]:
    """The line of a figure of the paper; none for one beyond it."""
    return [] if spec.claim is None else [spec.claim.verdict(results_by_title(findings))[1]]


def of_table(key: str, findings: Findings) -> list[str]:
    """The lines of a table of the paper."""
    networks = results_by_title(findings)
    return [claim.verdict(networks)[1] for claim in OF_TABLES.get(key, ())]


def all_verdicts(findings: Findings, specs: list[FigureSpec]) -> dict[str, list[str]]:
    """By the key of figure or table, for results.json."""
    told = {spec.key: of_figure(spec, findings) for spec in specs}
    told |= {key: of_table(key, findings) for key in OF_TABLES}
    return {key: lines for key, lines in told.items() if lines}
