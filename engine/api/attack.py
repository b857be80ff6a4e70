"""`dpa-engine attack` as a function, and what the command shares with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.natural import default_natural_set
from dpa.engine.attack.resume import way_on
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.evaluation_set import choose_samples, default_evaluation_set
from dpa.engine.report.attack_report import write_attack_report
from dpa.engine.runs.directory import RunDirectory
from dpa.export.cached_pose import cached_pose_session
from dpa.export.gradient import CachedGradients
from dpa.models.config import load_config
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.frameworks.program import require_generator
from dpa.models.training.checkpoint import load_network

Counts = Callable[[int, int], None]
"""Called with (done, in all); of an attack, with (finished, succeeded)."""


@dataclass(frozen=True)
class FinishedAttack:
    """A finished attack. path: its run directory; results: what results.json holds; report: its page."""

    path: Path
    results: Mapping[str, Any]
    report: Path


def attack(
    target: str | None = None,
    data: Path | None = None,
    *,
    out: Path | None = None,
    config: AttackRunConfig | None = None,
    progress: Counts | None = None,
    **settings: object,
) -> FinishedAttack:
    """Changes nothing but a person's appearance until the network's 3D pose breaks, as `dpa-engine attack`.

    target: name of a network, as `load_network` takes it. data: a packed set; None for the default evaluation
    set. out: a new run directory; runs/attack-TIME where None. config: every setting; target, data and
    `settings` win over it. Raises what `load_config`, `load_network` and `run_attack` raise.

    >>> attack("zoo:nsd", samples=64).results["success_rate"]
    """
    given = {} if config is None else config.model_dump(exclude_unset=True)
    named = {"target": target, "source": data}
    chosen = load_config(AttackRunConfig, flags={**given, **settings, **_given(named)})
    networks = networks_of(chosen)
    store = PackedStore.open(chosen.source) if chosen.source is not None else default_evaluation_set()
    natural = natural_set(chosen)
    run = RunDirectory.create(out, "attack", chosen.model_dump(mode="json"))
    return carry_out(run, chosen, networks, store, natural, progress)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def networks_of(settings: AttackRunConfig) -> Networks:
    """Target and generator, on the device that the settings name. Raises NotAGenerator, and what
    `load_network` and `pick_device` raise."""
    device = pick_device(settings.device)
    target = load_network(settings.target).to(device)
    same = settings.generator == settings.target
    generator = target if same else load_network(settings.generator).to(device)
    require_generator(generator)
    return Networks(generator, target)


def natural_set(settings: AttackRunConfig, progress: Counts | None = None) -> PackedStore | None:
    """People who show what appearances are natural; None for the source's own other clips. progress: called
    while they are made, once."""
    if settings.natural is not None:
        return PackedStore.open(settings.natural)
    return default_natural_set(progress) if settings.source is None else None


def carry_out(
    run: RunDirectory,
    settings: AttackRunConfig,
    networks: Networks,
    store: PackedStore,
    natural: PackedStore | None,
    progress: Counts | None = None,
) -> FinishedAttack:
    """Attacks, or goes on with a run that was stopped, and writes its report. Raises what `run_attack`
    raises."""
    rows = choose_samples(store, settings.samples, settings.seed, settings.subjects)
    with run, way_on(run):
        witness = None
        if settings.witness is not None:
            witness = load_network(settings.witness).to(networks.device)
        results = run_attack(
            run,
            networks,
            store,
            rows,
            settings,
            cached_pose_session(networks.target),
            progress,
            CachedGradients(),
            natural=natural,
            witness=witness,
        )
        page = write_attack_report(run, results, store)
    return FinishedAttack(run.path, results, page)
