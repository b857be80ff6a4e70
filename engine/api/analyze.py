"""`dpa-engine analyze` as a function."""

from collections.abc import Callable, Sequence

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.registry import analysis_of
from dpa.engine.analysis.study import Outcome, analyse, study_of
from dpa.engine.evaluation_set import default_evaluation_set
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import load_network


def analyze(
    network: DisentangledNetwork | str,
    names: Sequence[str] = ("all",),
    *,
    data: PackedStore | None = None,
    config: AnalyzeConfig | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Outcome]:
    """Asks what a network's codes hold; nothing is written.

    network: itself or its name, as `load_network` takes it; it is moved to the device that `config` names.
    names: analyses, groups of them and one's own, as on the command line. data: None for the default
    evaluation set. config: every other setting. progress: called with (analysis, done, in all).
    Returns, by the analysis's name and in the order of the paper, numbers, tables and matplotlib figures.
    Raises UnknownAnalysis, NotAnAnalysis, OneSubject, NoOtherClip, NoRegressor, and what `load_network`
    raises.

    >>> analyze("zoo:nsd", ["dc"])["dc"].summary["dc"]
    """
    given = (config or AnalyzeConfig()).model_dump(exclude_unset=True)
    settings = AnalyzeConfig.model_validate({**given, "analyses": tuple(names)})
    loaded = load_network(network) if isinstance(network, str) else network
    study = study_of(loaded, data if data is not None else default_evaluation_set(), settings)
    outcomes = {}
    for analysis in map(analysis_of, settings.analyses):

        def report(done: int, total: int, name: str = analysis.name) -> None:
            if progress is not None:
                progress(name, done, total)

        outcomes[analysis.name] = analyse(study, analysis, report)
    return outcomes
