"""The other commands as functions: each does what the command of its name does, and returns what it made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.registry import analysis_of
from dpa.engine.analysis.study import Outcome, analyse, study_of
from dpa.engine.evaluation_set import default_evaluation_set
from dpa.engine.prediction.sources import Unreadable, read_sources
from dpa.engine.prediction.stream import Batch, predict_stream
from dpa.engine.report.page import write_page
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.run import reproduce as carry_out
from dpa.export.build import BuildReport, build_engines
from dpa.export.cached_pose import cached_pose_engine, cached_pose_session
from dpa.export.config import ExportConfig
from dpa.export.parity import LIMITS_MM, held_out_frames
from dpa.export.variants import choose_variants
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import load_network, read_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.record import Progress
from dpa.models.training.regressor_fit import RegressorConfig, fit_on_store
from dpa.models.training.validation import Validation, validate


def train(
    data: Path | PackedStore,
    out: Path,
    *,
    config: TrainConfig | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Trains a framework without any pose annotation; returns `out`, a run directory that names the network.
    progress: called now and then. Raises what `PackedStore.open`, `Trainer` and its `fit` raise."""
    trainer = Trainer(config or TrainConfig(), _opened(data), out, pick_device(device))
    trainer.fit(resume, progress)
    return out


def fit_regressor(
    network: Path,
    data: Path | PackedStore,
    *,
    config: RegressorConfig | None = None,
    device: str = "auto",
    progress: Callable[[str, int, int, str], None] = lambda what, done, total, note: None,
) -> Validation:
    """Adds the pose regressor to a run of `train`; returns its errors on held-out sequences. progress: called
    with (what, done, in all, note). Raises NoPoses, and what `read_network` raises."""
    trained, store = read_network(network).to(pick_device(device)), _opened(data)
    held_out = fit_on_store(trained, network, store, config or RegressorConfig(), progress)
    return validate(trained, store, held_out)


def evaluate(
    network: DisentangledNetwork | str, data: Path | PackedStore | None = None, *, device: str = "auto"
) -> Validation:
    """PSNR of the crop, IoU of the box and pose errors of each frame; `summary()` has their means. data: None
    for the default evaluation set."""
    loaded, store = _loaded(network).to(pick_device(device)), _opened(data)
    return validate(loaded, store, np.arange(len(store)))


def analyze(
    network: DisentangledNetwork | str,
    names: Sequence[str] = ("all",),
    *,
    data: Path | PackedStore | None = None,
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
    loaded = _loaded(network)
    study = study_of(loaded, _opened(data), settings)
    outcomes = {}
    for analysis in map(analysis_of, settings.analyses):

        def report(done: int, total: int, name: str = analysis.name) -> None:
            if progress is not None:
                progress(name, done, total)

        outcomes[analysis.name] = analyse(study, analysis, report)
    return outcomes


def export_engines(
    network: DisentangledNetwork | str,
    out: Path,
    *,
    config: ExportConfig | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> BuildReport:
    """Writes an engine folder of a network's graphs, each compared with fp32 torch in mm. progress: called
    with what is being made. What is over its limit is in the report and not shipped; `raise_rejected` makes
    an error of it. Raises what `build_engines` raises."""
    settings = config or ExportConfig()
    source = network if isinstance(network, str) else network.framework
    parity, calibration = held_out_frames(settings.data, settings.frames, settings.seed)
    return build_engines(
        _loaded(network),
        out,
        choose_variants(settings.backend, settings.precision),
        parity,
        calibration,
        source=source if source.startswith("zoo:") else Path(source).name,
        graphs=settings.graphs,
        buckets=settings.buckets,
        limits_mm=LIMITS_MM if settings.limit is None else dict.fromkeys(LIMITS_MM, settings.limit),
        judged=settings.judged,
        progress=progress,
    )


@dataclass(frozen=True)
class Predictions:
    """sources, indices: [n], the file and the number of the frame in it. poses: [n, 17, 3] mm, root-relative,
    camera axes. boxes: [n, 4] θ. unreadable: what could not be decoded."""

    sources: list[str]
    indices: NDArray[np.int64]
    poses: NDArray[np.float32]
    boxes: NDArray[np.float32]
    unreadable: list[Unreadable]


def predict(
    sources: Path | Sequence[Path],
    network: DisentangledNetwork | str = "zoo:nsd",
    *,
    batch: int = 32,
    size: int = 160,
    stride: int = 1,
    threads: int = 2,
) -> Predictions:
    """3D poses of images, folders, packed sets and films, in order. size: side that pictures are fitted to;
    stride: of a film, every n-th frame; threads: that decode. Raises NoSuchSource."""
    made: list[Batch] = []
    paths = [sources] if isinstance(sources, Path) else list(sources)
    items = read_sources(paths, size, threads, stride)
    tally = predict_stream(cached_pose_engine(_loaded(network)), items, made.append, batch)
    return Predictions(
        [source for one in made for source in one.sources],
        np.array([index for one in made for index in one.indices], np.int64),
        np.concatenate([np.zeros((0, 17, 3), np.float32), *(one.pose for one in made)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(one.box for one in made)]),
        tally.quarantined,
    )


def reproduce(out: Path, *, config: ReproduceConfig | None = None, images: bool = True) -> Path:
    """The whole paper as one page, report.html in `out`; what `out` holds already is reused. images: whether
    the page shows frames."""
    settings = config or ReproduceConfig()
    carry_out(settings, _opened(settings.source), out, cached_pose_session, None)
    return write_page(out, images, settings.analyses)


def _loaded(network: DisentangledNetwork | str) -> DisentangledNetwork:
    return load_network(network) if isinstance(network, str) else network


def _opened(data: Path | PackedStore | None) -> PackedStore:
    if data is None:
        return default_evaluation_set()
    return PackedStore.open(data) if isinstance(data, Path) else data
