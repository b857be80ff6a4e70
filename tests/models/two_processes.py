"""What `test_parallel_training.py` starts, alone or under torchrun: trains each framework on a tiny network
and writes its run; and mean.json, the mean of 0, 1, 2, … over unequal parts, of which process number r
holds 1 + 2·r. Arguments: data set, folder of the runs, network's sizes as JSON, training settings as JSON
by name of the run."""

import json
import sys
from pathlib import Path

import torch

from dpa.models import distributed
from dpa.models.data.store import PackedStore
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer


def main() -> None:
    store, runs = PackedStore.open(Path(sys.argv[1])), Path(sys.argv[2])
    sizes = NetworkConfig.model_validate_json(sys.argv[3])
    torch.set_num_threads(1)
    with distributed.joined(torch.device("cpu")) as device:
        own = torch.arange(1.0 + 2 * distributed.rank())
        mean = distributed.averaged(own.mean() * distributed.weight_of(torch.tensor(len(own))))
        if distributed.rank() == 0:
            (runs / "mean.json").write_text(json.dumps(mean.item()))
        for name, settings in json.loads(sys.argv[4]).items():
            config = TrainConfig.model_validate(settings | {"sizes": sizes})
            Trainer(config, store, runs / name, device).fit(False, lambda progress: None)


if __name__ == "__main__":
    main()
