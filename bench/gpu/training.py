"""Training: images a second over some hundred steps, by precision."""

import time

from dpa.bench.gpu.scene import data
from dpa.bench.gpu.section import Notebook, Setting
from dpa.models.devices import wait
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer
from dpa.models.training.record import Progress


def measure(book: Notebook, setting: Setting) -> None:
    """200 steps of NSD at the small preset; the last figures are of steps that warmed up long before."""
    steps = setting.pick(200, 4)
    for precision in setting.pick(("bf16", "fp32"), ("fp32",)):
        with book.entry(f"NSD, {precision}") as found:
            config = TrainConfig.model_validate(
                {
                    "framework": "nsd",
                    "preset": setting.pick("small", "tiny"),
                    "steps": steps,
                    "batch": setting.pick(64, 4),
                    "precision": precision,
                    "localiser_start": 1,
                    "log_every": steps // 4,
                    "validate_every": 10 * steps,
                    "checkpoint_every": 10 * steps,
                    "refinement": {"steps": 0},
                }
            )
            heard: list[dict[str, float]] = []

            def listen(progress: Progress, heard: list[dict[str, float]] = heard) -> None:
                heard.append(progress.values)

            trainer = Trainer(config, data(setting), setting.folder / f"training-{precision}", setting.device)
            begin = time.perf_counter()
            trainer.fit(False, listen)
            wait(setting.device)
            found |= {"steps": steps, "batch": config.batch, "seconds": time.perf_counter() - begin}
            found["images_per_s"] = max(
                (one["images_per_s"] for one in heard if "images_per_s" in one), default=0
            )
            found["heard"] = heard[-1] if heard else {}
