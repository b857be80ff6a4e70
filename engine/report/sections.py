"""What the page and its Markdown twin say in words."""

from dataclasses import dataclass

from dpa.engine.report.findings import Findings


@dataclass(frozen=True)
class Section:
    """key: its id, and that of its figures' `section`. tables: by key, before the figures."""

    key: str
    title: str
    lead: str
    tables: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "paper",
        "What is asked",
        "Self-supervised networks promise a pose code without appearance. Is that so?",
        ("predictions",),
    ),
    Section("synthesis", "Changing the appearance code", "Section 4.1 of the paper."),
    Section("codes", "What the codes hold", "Sections 4.1 and 4.2 of the paper."),
    Section(
        "attack",
        "Appearance-only attacks",
        "Section 5: nothing but the appearance code is changed until the pose that the network reads breaks.",
        ("table1", "table2", "differences", "cross"),
    ),
    Section("metrics", "Metrics of disentanglement", "Section 6 of the paper.", ("table3", "calibration")),
    Section(
        "augmentation", "Does colour augmentation help?", "Section 6: CSSL against CSSL (DA).", ("table4",)
    ),
    Section("beyond", "What the paper could not measure", "Beyond the paper, in numbers."),
)


def headline(findings: Findings) -> str:
    """One sentence over the page."""
    rates = [one.attack.results["success_rate"] for one in findings.networks]
    names = ", ".join(one.title for one in findings.networks)
    low, high = (f"{100 * rate:.0f}" for rate in (min(rates), max(rates)))
    share = f"{low} %" if low == high else f"{low} to {high} %"
    limit = findings.note["config"]["attack"]["min_error_mm"]
    return (
        f"Changing nothing but appearance moves the 3D pose by more than {limit:g} mm in {share} of attacks"
        f" ({names})."
    )
