"""What the paper says of a figure or a table, and whether what was measured here agrees: always by a
criterion in numbers, and by the ends of a 95 % interval where there is one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Figures = Mapping[str, float | None]
"""One network's results by name; NAME_low and NAME_high are the ends of NAME's interval."""


class Verdict(StrEnum):
    """CANNOT_TELL: an interval holds the limit or is not known, networks differ, or nothing was measured."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Answer:
    """Of one network, or one pair of networks. told: its figures in words."""

    told: str
    verdict: Verdict


Ask = Callable[[Mapping[str, Figures]], Sequence[Answer]]
"""Results by the paper's names of the networks → an answer each."""


@dataclass(frozen=True)
class Claim:
    """says: what the paper says, in a sentence without its end. criterion: what must hold of each, in
    numbers. ask: whether it does."""

    says: str
    criterion: str
    ask: Ask

    def verdict(self, networks: Mapping[str, Figures]) -> tuple[Verdict, str]:
        """The verdict, and the line that says it. All answers must agree, or all contradict."""
        answers = self.ask(networks)
        kinds = {one.verdict for one in answers}
        found = kinds.pop() if len(kinds) == 1 else Verdict.CANNOT_TELL
        told = "; ".join(
            one.told if one.verdict is found else f"{one.told} ({one.verdict})" for one in answers
        )
        seen = told or "no network here is one of those that it is about"
        return found, f"{found}: the paper says that {self.says}. Criterion: {self.criterion}. Here: {seen}."


def beyond(key: str, limit: float, titles: Sequence[str], *, above: bool = True, unit: str = "") -> Ask:
    """A figure of each network on one side of a limit."""

    def ask(networks: Mapping[str, Figures]) -> list[Answer]:
        return [
            Answer(f"{title} {in_words(one, key, unit)}", _side(one, key, limit, above))
            for title in titles
            if (one := networks.get(title, {})).get(key) is not None
        ]

    return ask


def more(key: str, larger: str, smaller: Sequence[str], unit: str = "") -> Ask:
    """A figure of one network above that of each of some others; where their intervals touch, nobody can
    tell."""

    def ask(networks: Mapping[str, Figures]) -> list[Answer]:
        first = networks.get(larger, {})
        return [
            Answer(
                f"{larger} {in_words(first, key, unit)}, {other} {in_words(networks[other], key, unit)}",
                _apart(first, key, networks[other], key),
            )
            for other in smaller
            if other in networks and None not in (first.get(key), networks[other].get(key))
        ]

    return ask


def exceeds(key: str, other: str, titles: Sequence[str], names: tuple[str, str]) -> Ask:
    """Of two figures of each network, the first above the second. names: of the two, in words."""

    def ask(networks: Mapping[str, Figures]) -> list[Answer]:
        told = []
        for title in titles:
            figures = networks.get(title, {})
            if None not in (figures.get(key), figures.get(other)):
                both = zip(names, (key, other), strict=True)
                words = ", ".join(f"{name} {in_words(figures, one)}" for name, one in both)
                told.append(Answer(f"{title} {words}", _apart(figures, key, figures, other)))
        return told

    return ask


def in_words(figures: Figures, key: str, unit: str = "") -> str:
    """A figure and its interval; unit "%" multiplies by 100."""
    factor = 100 if unit == "%" else 1
    value = figures.get(key)
    if value is None:
        return "–"
    told = f"{factor * value:.3g}" + (f" {unit}" if unit else "")
    ends = _ends(figures, key)
    if ends is None:
        return f"{told} (no interval is known)"
    return f"{told} ({factor * ends[0]:.3g} to {factor * ends[1]:.3g})"


def _ends(figures: Figures, key: str) -> tuple[float, float] | None:
    """Of the interval; where a spread between seeds is known instead, two of them to each side."""
    value, low, high = (figures.get(key + ending) for ending in ("", "_low", "_high"))
    if low is not None and high is not None:
        return low, high
    spread = figures.get(f"{key}_spread")
    return None if value is None or spread is None else (value - 2 * spread, value + 2 * spread)


def _side(figures: Figures, key: str, limit: float, above: bool) -> Verdict:
    ends = _ends(figures, key)
    if ends is None:
        return Verdict.CANNOT_TELL
    low, high = ends
    if low > limit:
        return Verdict.AGREES if above else Verdict.CONTRADICTS
    if high < limit:
        return Verdict.CONTRADICTS if above else Verdict.AGREES
    return Verdict.CANNOT_TELL


def _apart(first: Figures, key: str, second: Figures, other: str) -> Verdict:
    ours, others = _ends(first, key), _ends(second, other)
    if ours is None or others is None:
        return Verdict.CANNOT_TELL
    if ours[0] > others[1]:
        return Verdict.AGREES
    return Verdict.CONTRADICTS if ours[1] < others[0] else Verdict.CANNOT_TELL
