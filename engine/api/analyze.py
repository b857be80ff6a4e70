"""`dpa-engine analyze` as a function."""

from collections.abc import Sequence

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.outcome import Outcome
from dpa.engine.analysis.run import Progress, study_of
from dpa.engine.analysis.suite import analyse
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
    progress: Progress | None = None,
) -> dict[str, Outcome]:
    """Asks what a network's codes hold; nothing is written.

    network: itself or its name, as `load_network` takes it; it is moved to the device that `config` names.
    names: analyses and groups of them, as on the command line. data: None for the default evaluation set.
    config: every other setting. progress: called with (analysis, done, in all).
    Returns, by the analysis's name and in the order of the paper, numbers, tables and matplotlib figures.
    Raises UnknownAnalysis, OneSubject, NoOtherClip, NoRegressor, and what `load_network` raises.

    >>> analyze("zoo:nsd", ["dc"])["dc"].summary["dc"]
    """
    given = (config or AnalyzeConfig()).model_dump(exclude_unset=True)
    settings = AnalyzeConfig.model_validate({**given, "analyses": tuple(names)})
    loaded = load_network(network) if isinstance(network, str) else network
    study = study_of(loaded, data if data is not None else default_evaluation_set(), settings)
    outcomes = {}
    for name in settings.analyses:

        def report(done: int, total: int, name: str = name) -> None:
            if progress is not None:
                progress(name, done, total)

        outcomes[name] = analyse(study, name, report)
    return outcomes
