#!/usr/bin/env bash
# DTensor: nothing plain may stand beside a sharded tensor, and whether an axis splits depends on the numbers.
#
# Versions: torch 2.13.0 (Python 3.11), two processes on one CPU (gloo), rows sharded.
# Behaviour: what is computed is right, and what is refused depends on more than the operation. A plain tensor or plain
# index beside a DTensor raises, constants too. Splitting the sharded axis of 10 rows into (2, 5) works, into (5, 2)
# raises; the same axis of 7 rows (4 and 3 on the two processes) splits into (7, 1) and (1, 7), and flattening it
# raises. So whether an axis of "multiplicity x field" can be viewed as such under FSDP2 depends on how many processes
# there are.
# Output seen: as asserted, in each of the two processes.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'PY'
from pathlib import Path

Path("sharded.py").write_text("""
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (2,))


def sharded(rows):
    return distribute_tensor(torch.arange(rows * 4.0).reshape(rows, 4), mesh, [Shard(0)])


def tried(work):
    try:
        return work()
    except Exception as error:
        return type(error).__name__


def right(got, expected):
    return torch.equal(got.full_tensor(), expected) if hasattr(got, "full_tensor") else got


ten, seven = sharded(10), sharded(7)
plain = {n: torch.arange(n * 4.0).reshape(n, 4) for n in (7, 10)}
square = torch.eye(4)
found = {
    "plain factor": right(tried(lambda: ten @ square), plain[10]),
    "replicated factor": right(tried(lambda: ten @ distribute_tensor(square, mesh, [Replicate()])), plain[10]),
    "plain index": right(tried(lambda: ten.index_select(0, torch.arange(10))), plain[10]),
    "10 as (2, 5)": right(tried(lambda: ten.reshape(2, 5, 4)), plain[10].reshape(2, 5, 4)),
    "10 as (5, 2)": right(tried(lambda: ten.reshape(5, 2, 4)), plain[10].reshape(5, 2, 4)),
    "7 as (7, 1)": right(tried(lambda: seven.reshape(7, 1, 4)), plain[7].reshape(7, 1, 4)),
    "7 flat": right(tried(lambda: seven.flatten()), plain[7].flatten()),
    "10 flat": right(tried(lambda: ten.flatten()), plain[10].flatten()),
}
print(dist.get_rank(), found, flush=True)
expected = {
    "plain factor": "RuntimeError",
    "replicated factor": True,
    "plain index": "RuntimeError",
    "10 as (2, 5)": True,
    "10 as (5, 2)": "RuntimeError",
    "7 as (7, 1)": True,
    "7 flat": "RuntimeError",
    "10 flat": True,
}
assert found == expected, {k: v for k, v in found.items() if v != expected[k]}
dist.destroy_process_group()
""")
PY
OMP_NUM_THREADS=1 env/bin/torchrun --nproc_per_node 2 --master_addr 127.0.0.1 --master_port 29531 sharded.py
