"""From contenders to the document that `bench attack` prints."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from dpa.bench.attack_contenders import AUTO, PLAIN, SAME, STEPS, make_contenders
from dpa.bench.attack_rows import Task, ratios, row, run_in_turns
from dpa.bench.attack_sweep import sweep_attack
from dpa.bench.circumstances import circumstances
from dpa.bench.matmul import matmul_gflops
from dpa.bench.step_flops import step_gflop
from dpa.bench.step_scene import first_scene
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.run import device_in_words
from dpa.engine.runs.environment import versions


def measure_attack(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    command: str,
    progress: Callable[[str], None],
    peer_steps: int = 40,
) -> dict[str, object]:
    """rows; ratios of samples/s, of sample-iterations/s and of samples per processor second (which other
    processes disturb least); device; GFLOP/s of a matrix product (the fastest precision, and each) and of
    the fastest step. command: what repeats it; a row's own adds its name. Raises UnknownContender."""
    device, today = task.frames.device, circumstances()
    synchronise: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    matmul = matmul_gflops(device, synchronise=synchronise)
    gflop = _gflop(task, config)
    contenders = make_contenders(names or (PLAIN, *STEPS, SAME, AUTO), task, config, plain_batch, peer_steps)
    run_in_turns(contenders, rounds, synchronise, progress)
    rows = []
    for one in contenders:
        line = row(one, task, config.min_error_mm)
        rate = line["sample_iterations_per_s"]
        rows.append(line | {"achieved_gflops": rate * gflop, "command": f"{command} --name {one.name}"})
    return {
        "rows": rows,
        "ratios": ratios(rows, "samples_per_s"),
        "ratios_sample_iterations": ratios(rows, "sample_iterations_per_s"),
        "ratios_cpu_time": ratios(rows, "samples_per_cpu_s"),
        "device": device_in_words(device),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(line["achieved_gflops"] for line in rows),
        "gflop_per_sample_iteration": gflop,
        "samples": len(task),
        "config": config.model_dump(mode="json"),
        "versions": versions(),
        **today,
        "command": command + "".join(f" --name {name}" for name in names or ()),
    }


def measure_sweep(
    task: Task,
    config: AttackConfig,
    names: Sequence[str] | None,
    plain_batch: int,
    rounds: int,
    command: str,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """The document of `--sweep`: as that of `measure_attack`, a row a series and step size."""
    device, today = task.frames.device, circumstances()
    synchronise: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    matmul = matmul_gflops(device, synchronise=synchronise)
    gflop = _gflop(task, config)
    rows = [
        line
        | {
            "achieved_gflops": line["sample_iterations_per_s"] * gflop,
            "command": f"{command} --name {line['series']}",
        }
        for line in sweep_attack(task, config, names, plain_batch, rounds, synchronise, progress)
    ]
    return {
        "rows": rows,
        "ratios": ratios(rows, "samples_per_s"),
        "device": device_in_words(device),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(line["achieved_gflops"] for line in rows),
        "samples": len(task),
        "config": config.model_dump(mode="json", exclude={"optimiser", "step_size"}),
        "versions": versions(),
        **today,
        "command": command + "".join(f" --name {name}" for name in names or ()),
    }


def _gflop(task: Task, config: AttackConfig) -> float:
    objective = Objective(task.generator, task.target, task.plates, config.freeze_box, config.clamp)
    return step_gflop(objective, *first_scene(task.part(0, 4)))
