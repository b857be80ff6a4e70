"""From a command's words to the samples that are attacked."""

from pathlib import Path

import torch

from dpa.bench.attack_rows import Task
from dpa.engine.attack.progress import generation_progress
from dpa.engine.evaluation_set import choose_samples, default_evaluation_set
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.training.checkpoint import load_network


def load_task(source: Path | None, target: str, samples: int, seed: int, device: str) -> Task:
    """At most `samples` frames of a packed set (the evaluation set by default), attacked by the network's
    own pictures."""
    place = pick_device(device)
    network = load_network(target).to(place)
    if source is None:
        with generation_progress() as report:
            store = default_evaluation_set(report)
    else:
        store = PackedStore.open(source)
    rows = choose_samples(store, samples, seed)
    plate_index = torch.from_numpy(store.plate[rows]).long()
    frames, plates = store.frames_at(rows), store.plates_tensor()
    return Task(network, network, frames.to(place), plates.to(place), plate_index.to(place))
