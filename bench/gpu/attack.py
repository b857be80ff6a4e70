"""The whole attack: samples a second as a user gets them, and how often the host waits for the device."""

import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dpa.bench.attack_rows import Task
from dpa.bench.gpu.scene import NETWORK, data, task
from dpa.bench.gpu.section import Entry, Notebook, Setting
from dpa.bench.stand_in import account
from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.choice import make_backend
from dpa.engine.attack.steps.eager import StepBackend, StepResult
from dpa.engine.runs.directory import RunDirectory
from dpa.models.devices import wait


def measure(book: Notebook, setting: Setting) -> None:
    """A run as the command makes it at 160², and the attack alone at 160² and 1000²; each twice, since the
    first one loads kernels and records graphs."""
    batch = setting.pick(256, 4)
    for backend in setting.pick(("auto", "fused", "eager"), ("eager",)):
        for words in ("first", "again"):
            with book.entry(f"run at 160², {backend}, {words}") as found:
                _run(found, setting, backend, batch, words)
    for label, side, count in setting.pick(
        (("160²", None, 1024), ("1000²", 1000, 256)), (("160²", None, 4),)
    ):
        with book.entry(f"attack at {label}"):
            given = task(setting, count, side)
        for backend in setting.pick(("fused", "eager"), ("fused",)):
            for words in ("first", "again"):
                with book.entry(f"attack at {label}, {backend}, {words}") as found:
                    _attack(found, given, _config(setting, backend, batch))


def _config(setting: Setting, backend: str, batch: int) -> AttackConfig:
    return AttackConfig.model_validate(
        {"backend": backend, "batch": batch, "max_steps": setting.pick(200, 3)}
    )


def _run(found: Entry, setting: Setting, backend: str, batch: int, words: str) -> None:
    store = data(setting)
    rows = np.arange(len(store))
    config = AttackRunConfig.model_validate(
        {
            "target": NETWORK,
            "backend": backend,
            "batch": batch,
            "samples": len(rows),
            "pictures": 8,
            "max_steps": setting.pick(200, 3),
        }
    )
    folder = setting.folder / f"run-{backend}-{words}"
    run = RunDirectory.create(folder, "attack", config.model_dump(mode="json"))
    network = task(setting, 1).generator
    begin = time.perf_counter()
    results = run_attack(run, Networks(network, network), store, rows, config)  # type: ignore[arg-type]
    seconds = time.perf_counter() - begin
    found |= {"seconds_in_all": seconds, "samples_per_s": len(rows) / seconds, "batch": batch}
    found |= {
        name: results[name] for name in ("success_rate", "mpjpe_final_mm", "iterations", "image", "method")
    }


def _attack(found: Entry, given: Task, config: AttackConfig) -> None:
    device = given.frames.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    begin = time.perf_counter()
    result = appearance_attack(
        given.generator, given.target, given.frames, given.plates, given.plate_index, config
    )
    wait(device)
    seconds = time.perf_counter() - begin
    found |= {
        "samples": len(given),
        "batch": config.batch,
        "seconds_in_all": seconds,
        "samples_per_s": len(given) / seconds,
        "success_rate": float(result.success.float().mean()),
        "final_mm": float(result.final_error_mm.float().mean()),
        "iterations": float(result.iterations.float().mean()),
    }
    if device.type == "cuda":
        found["peak_mb"] = torch.cuda.max_memory_allocated(device) / 1e6


def waits(book: Notebook, setting: Setting) -> None:
    """Calls that made the host wait, by PyTorch's own debugging on a GPU, by the stand-in's account
    in a rehearsal."""
    given = task(setting, setting.pick(256, 4))
    config = _config(setting, "fused", setting.pick(64, 2))
    backend = make_backend(given.generator, given.target, given.plates, config)
    attack = partial(
        appearance_attack,
        given.generator,
        given.target,
        given.frames,
        given.plates,
        given.plate_index,
        config,
    )
    with book.entry("the first attack, which loads and records"):
        attack(backend=backend)
    with book.entry("waits of the host in an attack") as found:
        counted = _Counted(backend)
        places = _on_a_gpu(counted, attack) if setting.device.type == "cuda" else _by_account(counted, attack)
        found |= {
            "batch": config.batch,
            "samples": len(given),
            "step_calls": counted.calls,
            "waits": places.total(),
            "waits_per_step_call": places.total() / max(1, counted.calls),
            "places": dict(places.most_common(25)),
        }


class _Counted:
    """Counts the calls of a step."""

    def __init__(self, backend: StepBackend) -> None:
        self._step, self.calls = backend.step, 0
        self.backend = replace(backend, step=self)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        self.calls += 1
        return self._step(h_a, scene)


def _on_a_gpu(counted: _Counted, attack: Callable[..., object]) -> Counter[str]:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            attack(backend=counted.backend)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return Counter(
        "/".join(one.filename.split("/")[-3:]) + f":{one.lineno}"
        for one in heard
        if "synchronizing" in str(one.message)
    )


def _by_account(counted: _Counted, attack: Callable[..., object]) -> Counter[str]:
    account.clear()
    attack(backend=counted.backend)
    return Counter(account.waits)
