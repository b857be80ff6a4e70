"""The stand-in for a GPU computes as the CPU does, refuses what a GPU refuses, counts, and delivers late."""

import copy
import threading

import pytest
import torch
from torch import nn

from dpa.bench.stand_in import account
from dpa.models.devices import Download, device_name, pick_device, upload, wait


def test_a_network_trains_on_it_as_on_the_cpu(stand_in):
    torch.manual_seed(0)
    here = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    state = {name: value.clone() for name, value in here.state_dict().items()}
    pictures = torch.rand(5, 3, 6, 6)
    losses = {}
    for device in (torch.device("cpu"), stand_in):
        here.load_state_dict(state)
        network = here.to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
        for _ in range(3):
            loss = network(pictures.to(device)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        assert loss.device == device
        losses[device.type] = loss.item()
    assert losses["standin"] == pytest.approx(losses["cpu"], rel=1e-6)


def test_modules_are_copied_and_converted_there(stand_in):
    network = nn.Conv2d(2, 3, 1).to(stand_in)
    copied = copy.deepcopy(network).requires_grad_(False)
    lowered = copy.deepcopy(copied).to(torch.bfloat16, memory_format=torch.channels_last)
    pictures = torch.rand(1, 2, 4, 4, device=stand_in)
    torch.testing.assert_close(copied(pictures), network(pictures).detach())
    assert lowered(pictures.bfloat16()).dtype == torch.bfloat16
    assert network.weight.dtype == torch.float32
    assert len(list(copied.parameters())) == 2


def test_what_a_gpu_refuses(stand_in):
    there = torch.ones(2, 3, device=stand_in)
    with pytest.raises(RuntimeError, match="two devices, standin:0 and cpu"):
        there + torch.ones(3)
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device=stand_in, generator=torch.Generator())
    with pytest.raises(RuntimeError, match="numpy"):
        there.numpy()
    assert (there + 1.5 * torch.ones(())).sum().item() == 15, "a number of the host may stand anywhere"


def test_transfers_and_waits_are_counted(stand_in):
    numbers = torch.arange(6.0)
    there = numbers.to(stand_in)
    assert (account.uploads, account.up_bytes) == (1, 24)
    assert account.waits == {"a blocking upload": 1}
    account.clear()
    upload(numbers, stand_in)
    assert (account.uploads, account.waits.total()) == (1, 0)
    assert there[there > 2].tolist() == [3, 4, 5]
    assert bool((there > 7).any()) is False
    there[torch.tensor([0, 1])]
    assert account.waits == {
        "index by a mask": 1,
        "a blocking download": 1,
        "_local_scalar_dense": 1,
        "a blocking upload": 1,
    }
    account.clear()
    there.add_(1).mul(2)
    assert account.moved_bytes == 4 * 24
    assert there[2:].view(2, 2).shape == (2, 2)
    assert account.moved_bytes == 4 * 24, "views move nothing"


@pytest.mark.parametrize("values", [[1.0, 2.0], [3, 4], [True, False]])
def test_a_download_that_nobody_waited_for_holds_nonsense(stand_in, values):
    first, second = torch.tensor(values, device=stand_in), torch.tensor(values[:1], device=stand_in)
    account.clear()
    early, late = Download(first), Download(second)
    on_its_way = first.to("cpu", non_blocking=True)
    assert account.waits.total() == 0
    assert early.read()[0].tolist() == values
    assert account.waits == {"an event": 1}
    assert on_its_way.tolist() != values
    wait(stand_in)
    assert on_its_way.tolist() == values
    assert late.read()[0].tolist() == values[:1]
    assert account.downloads == 3


def test_memory_can_run_out(stand_in):
    account.limit_bytes = 100
    small = torch.zeros(20, device=stand_in)
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        torch.cat([small, small])
    account.clear()
    assert len(torch.cat([small, small])) == 40


def test_numbers_made_there_and_threads_of_the_program(stand_in):
    made = []

    def work():
        made.append(torch.tensor([1.0, 2.0], device=stand_in) + torch.as_tensor([1], device=stand_in))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert made[0].device == stand_in
    assert made[0].new_tensor([4]).device == stand_in
    assert made[0].tolist() == [2, 3]
    assert len(torch.arange(4, device=stand_in)) == len(torch.linspace(0, 1, 4, device=stand_in)) == 4


def test_it_has_a_name_and_may_be_picked(stand_in):
    assert pick_device("standin") == torch.device("standin")
    assert "stand-in" in device_name(stand_in)
    assert pick_device("auto").type in ("cpu", "cuda"), "nobody gets it unasked"
