"""A network's fingerprint: the same for a copy, another for whatever changes what it computes."""

import copy

import torch

from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig


def test_a_copy_has_the_same_and_nothing_else_has(tiny_sizes: NetworkConfig) -> None:
    network = DisentangledNetwork(tiny_sizes, "nsd")
    first = network.fingerprint()
    assert len(first) == 64 and copy.deepcopy(network).fingerprint() == first
    found = {first}
    for name, value in list(network.state_dict().items())[::7]:
        other = copy.deepcopy(network)
        with torch.no_grad():
            changed = other.state_dict()[name].view(-1)
            changed[:1] += 1
        found.add(other.fingerprint())
        assert value.dtype == other.state_dict()[name].dtype
    assert len(found) == 1 + len(list(network.state_dict())[::7])
    named = copy.deepcopy(network)
    named.framework = "cssl"
    smaller = DisentangledNetwork(tiny_sizes.model_copy(update={"appearance_dim": 5}), "nsd")
    assert len({first, named.fingerprint(), smaller.fingerprint()}) == 3
