"""From a trained network to an engine folder: write each variant of each graph, open it as it will be
opened, compare it with fp32 torch, ship what keeps its limit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dpa.engine.sessions.errors import RefusedModel
from dpa.engine.sessions.manifest import EngineEntry
from dpa.engine.sessions.tensorrt_plans import this_place
from dpa.export.engine_writer import replacing_folder, write_manifest
from dpa.export.one_engine import ALL_GRAPHS, Job, check_graphs, make_engine
from dpa.export.parity import LIMITS_MM, ParityError
from dpa.export.plans import BUCKETS
from dpa.export.variants import Variant
from dpa.export.verdicts import JUDGES, make_trial
from dpa.models.atomic import write_json
from dpa.models.errors import DpaError
from dpa.models.frameworks.base import DisentangledNetwork

REPORT = "parity.json"


@dataclass(frozen=True)
class Refusal:
    """An engine that its back-end does not take, and the error's own first line."""

    graph: str
    backend: str
    precision: str
    reason: str


class EngineRefused(DpaError):
    """A back-end refused a graph; the other engines are where they belong."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(
            f"{refusal.graph} in {refusal.precision} was not shipped: {refusal.reason}\n"
            f"  to do:    leave it out with --graphs, or choose another back-end than {refusal.backend}"
        )


@dataclass(frozen=True)
class BuildReport:
    """shipped: engines in the folder; rejected: those over their limit, whose files are gone; refused:
    those that could not be opened or built."""

    shipped: tuple[EngineEntry, ...]
    rejected: tuple[EngineEntry, ...]
    refused: tuple[Refusal, ...] = ()

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """What parity.json holds and `--json` prints."""
        return {
            "shipped": [entry.model_dump(mode="json") for entry in self.shipped],
            "rejected": [entry.model_dump(mode="json") for entry in self.rejected],
            "refused": [dict(vars(refusal)) for refusal in self.refused],
        }

    def raise_rejected(self) -> None:
        """Raise the ParityError or EngineRefused of the first engine that was not shipped, if any."""
        for entry in self.rejected:
            raise ParityError(entry.file, entry.parity)
        for refusal in self.refused:
            raise EngineRefused(refusal)


def build_engines(
    network: DisentangledNetwork,
    out: Path,
    variants: Sequence[Variant],
    frames: Tensor,
    calibration: Tensor,
    *,
    source: str,
    graphs: Sequence[str] = ALL_GRAPHS,
    limits_mm: Mapping[str, float] = LIMITS_MM,
    buckets: Sequence[int] = BUCKETS,
    judged: int = 0,
    progress: Callable[[str], None] | None = None,
) -> BuildReport:
    """Write the engine folder `out` with every variant of every graph that keeps its parity limit.

    frames: [N, 3, H, W] in [0, 1], held out from training, for parity; calibration: the same, other
    frames, for INT8's ranges; source: the network as it was named; buckets: batch sizes of TensorRT
    plans, which also fix the frame size to that of `frames`; judged: so many of `frames` are attacked, and
    every engine that can judge is asked for its verdicts. parity.json keeps every figure, those of
    rejected engines included. A precision that a graph does not have is left out. Whatever
    raises leaves `out` as it was; NotOurs where it holds something else than engines.
    """
    check_graphs(graphs)
    if any(variant.backend == "tensorrt" for variant in variants):
        this_place()  # a missing builder is better named before minutes of exporting
    shipped: list[EngineEntry] = []
    rejected: list[EngineEntry] = []
    refused: list[Refusal] = []
    with replacing_folder(out) as work:
        if judged and progress is not None:
            progress(f"attacks on {judged} frames, for the verdicts")
        trial = make_trial(network, frames[:judged]) if judged and not JUDGES.isdisjoint(graphs) else None
        job = Job(network, work, frames, calibration, limits_mm, buckets, trial)
        for name in graphs:
            for variant in (one for one in variants if one.takes(name)):
                if progress is not None:
                    progress(f"{name} {variant.backend} {variant.precision}")
                try:
                    entry, good = make_engine(job, name, variant)
                except RefusedModel as error:
                    refused.append(Refusal(name, variant.backend, variant.precision, error.found))
                    continue
                (shipped if good else rejected).append(entry)
        kept = {entry.file for entry in shipped} | {e.plan.file for e in shipped if e.plan is not None}
        for path in work.iterdir():
            if path.name not in kept:
                path.unlink()
        report = BuildReport(tuple(shipped), tuple(rejected), tuple(refused))
        write_json(work / REPORT, report.as_json())
        write_manifest(work, network, source, shipped)
    return report
