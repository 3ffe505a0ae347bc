"""Sharded parameters are refused by name: real DTensors, in a group of one process that is a process of its own."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.binding.entry import is_sharded

SCRIPT = """
import os, socket, sys, tempfile, torch, torch.distributed as dist, intertwine as iw
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

store = dist.FileStore(tempfile.mktemp(dir=sys.argv[1]), 1)
os.environ.update(GLOO_SOCKET_IFNAME="lo")
dist.init_process_group("gloo", store=store, rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
rep = 4 * iw.Cyclic(4).regular()
model = torch.nn.Linear(16, 16)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
binding = iw.bind(model, {"": (rep, rep)})
decay = iw.EquivarianceDecay(optimizer, binding, 1.0)
fully_shard(model, mesh=mesh)
sharded = torch.optim.SGD(model.parameters(), lr=0.1)
calls = {
    "bind": lambda: iw.bind(model, {"": (rep, rep)}),
    "by name": lambda: iw.bind(model, {"weight": (rep, rep.dual())}),
    "bind inferred": lambda: iw.bind(model, rep_in=rep, rep_out=rep, example=torch.randn(2, 16)),
    "check": lambda: iw.check(model, rep_in=rep, rep_out=rep, example=torch.randn(2, 16)),
    "penalty": binding.penalty,
    "project_": binding.project_,
    "initialize_": binding.initialize_,
    "residuals": binding.residuals,
    "report": lambda: iw.report(binding),
    "decay": lambda: iw.EquivarianceDecay(sharded, binding, 1.0),
    "step": optimizer.step,
}
for name, call in calls.items():
    try:
        call()
        print(name, "went through")
    except iw.errors.ArgumentError as error:
        print(name, "refused:", error)
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without torch.distributed")
def test_sharded_parameters_are_refused_by_name(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], check=False, capture_output=True, text=True, timeout=120
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 11, done.stderr[-2000:]
    for line in lines:
        name, _, message = line.partition(" refused: ")
        assert "as a whole in each process; got a sharded tensor (DTensor" in message, line
        assert "weight" in message, name


class Shard(torch.Tensor):
    """What tells a sharded tensor."""

    device_mesh = "a mesh"


def test_told_by_attributes():
    layer = nn.Linear(4, 4, bias=False)
    regular = iw.Cyclic(4).regular()
    binding = iw.bind(layer, {"": (regular, regular)})
    assert not is_sharded(layer.weight)
    layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Shard))
    assert is_sharded(layer.weight)
    for call in (binding.penalty, binding.project_, binding.residuals, lambda: iw.report(binding)):
        with pytest.raises(iw.errors.ArgumentError, match="model: expected weight as a whole in each process"):
            call()
    with pytest.raises(iw.errors.ArgumentError, match=r"types\[''\]: expected weight as a whole in each process"):
        iw.bind(layer, {"": (regular, regular)})
