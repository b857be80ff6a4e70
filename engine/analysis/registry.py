"""Every analysis there is: one record each, in one module each. `analyze`, `reproduce`, `zoo calibrate` and
the report's page are all made from these records.

To add one to the project: a module in `engine/analysis/analyses/` that holds `ANALYSIS = Analysis(...)`; its
name is the module's. Nothing else is entered anywhere. To bring one's own: a function without arguments that
returns an `Analysis`, named `my_module:function` wherever an analysis may stand (`examples/own_analysis.py`).

A record's measures become lines of the page's first table and, where they have a scale, of the calibration;
its figures stand on the page and in the run directory of `analyze`.
"""

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from dpa.engine.analysis import names, usual
from dpa.engine.analysis.claims import Claim
from dpa.engine.analysis.measures import DRNET, NSD, Measure
from dpa.models.config import Config
from dpa.models.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dpa.engine.analysis.study import Outcome, Progress, Study
    from dpa.engine.drawing.grid import Shown

BEYOND = "beyond"
"""The page's section for what the paper has not."""

PLAIN = (DRNET, "CSSL", NSD)
"""The paper's networks, in the order of its Figure 2."""


Draw = Callable[[Sequence["Shown"], bool], "Figure"]
"""(networks, at least one of which is there; whether frames may be shown) → the figure."""


@dataclass(frozen=True)
class FigureSpec:
    """key: its id and the name of its files. number: the paper's, None beyond it. titles: the paper's
    networks in it, in order; those that the paper has not follow where NSD is among them. frames: whether it
    shows frames when they are allowed. section: of the page. stage: whose results it shows, where that is no
    analysis. claim: what the paper says of it. file: its name where `analyze` writes it into its run
    directory, "" where it does not."""

    key: str
    title: str
    draw: Draw
    caption: str
    number: int | None = None
    titles: tuple[str, ...] = PLAIN
    frames: bool = False
    section: str = BEYOND
    stage: str = ""
    claim: Claim | None = None
    file: str = ""

    @property
    def heading(self) -> str:
        """With the paper's number."""
        return self.title if self.number is None else f"Figure {self.number}. {self.title}"


@dataclass(frozen=True)
class Analysis:
    """One analysis.

    name: on the command line and in file names. title: what it does, in stages and help. run: does it on a
    study; progress is called with (done, in all). reads: names of the shared settings of `AnalyzeConfig` on
    which its result depends, beside data, subjects, seed and device; results are made anew when one of them
    changes. options: its own settings, given as `--set options.NAME.setting=value`, read by
    `study.options(analysis)`. compares_people: refuses frames of one subject. slow: left out by `zoo
    calibrate` unless asked for. spec: `my_module:function` of a user's own, "" of the project's.
    """

    name: str
    title: str
    run: "Callable[[Study, Progress], Outcome]"
    reads: tuple[str, ...] = ()
    options: type[Config] = Config
    measures: tuple[Measure, ...] = ()
    figures: tuple[FigureSpec, ...] = ()
    compares_people: bool = False
    slow: bool = False
    spec: str = ""

    @property
    def named(self) -> str:
        """As commands name it."""
        return self.spec or self.name


class UnknownAnalysis(InputError):
    """An analysis that does not exist."""

    def __init__(self, name: str) -> None:
        known = (*names(), *groups(), "my_module:function")
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        super().__init__(f"analysis {name!r}", f"some of {', '.join(known)}", f"did you mean {nearest!r}?")


class NotAnAnalysis(InputError):
    """A user's own that cannot take part."""

    def __init__(self, spec: str, found: str) -> None:
        super().__init__(
            f"{spec}: {found}",
            "a function without arguments that returns a dpa.engine.Analysis",
            "see examples/own_analysis.py",
        )


def groups() -> dict[str, tuple[str, ...]]:
    """Names that stand for several."""
    return {"metrics": ("dc", "iob"), "all": usual()}


def chosen_analyses(wanted: Sequence[str]) -> tuple[str, ...]:
    """Names, groups and users' own → each once: the project's in the order of `names`, then the users'.
    Raises UnknownAnalysis, NotAnAnalysis, NoSuchFramework."""
    ours, theirs = set[str](), dict[str, str]()
    for name in wanted:
        if name in names() or name in groups():
            ours.update(groups().get(name, (name,)))
        elif ":" in name:
            theirs[analysis_of(name).name] = name
        else:
            raise UnknownAnalysis(name)
    return (*(name for name in names() if name in ours), *theirs.values())


@cache
def analysis_of(name: str) -> Analysis:
    """The record of one of `names`, or of a user's `my_module:function`. Raises UnknownAnalysis,
    NotAnAnalysis, NoSuchFramework."""
    if name in names():
        found: Analysis = importlib.import_module(f"dpa.engine.analysis.analyses.{name}").ANALYSIS
        return found
    if ":" not in name:
        raise UnknownAnalysis(name)
    return _own(name)


def _own(spec: str) -> Analysis:
    from dpa.models.frameworks.foreign import call_loader

    made = call_loader(spec)
    if not isinstance(made, Analysis):
        raise NotAnAnalysis(spec, f"a {type(made).__name__}")
    if made.name in names() or not made.name.isidentifier():
        raise NotAnAnalysis(spec, f"the name {made.name!r}, which is taken or no identifier")
    return replace(made, spec=spec)
