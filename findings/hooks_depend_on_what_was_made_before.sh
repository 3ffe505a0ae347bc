#!/usr/bin/env bash
# pytorch-optimizer: how often MuonClip runs its step hooks depends on whether a Muon was made before, anywhere.
#
# Versions: pytorch-optimizer 4.1.0, torch 2.13.0 (Python 3.11).
# Behaviour: torch wraps `step` of a class, for its hooks, when the first object of that very class is made. MuonClip's step
# calls the step of its parent, Muon. As long as no Muon has been made in the process that is a plain function, and a hook
# runs once a step; from then on it runs twice. Whatever counts steps or changes weights in a hook (a projection, a
# decay, an average, a logger) does so twice, and differently in a script and in a notebook with history. It is torch's
# way of wrapping, so that any optimiser whose step calls super().step() is alike.
# Output seen: MuonClip 1, Muon 1, MuonClip 2.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/pip install --quiet --disable-pip-version-check --no-deps pytorch-optimizer==4.1.0
env/bin/python - <<'PY'
import torch
from pytorch_optimizer import Muon, MuonClip


def hooks(kind):
    W, calls = torch.nn.Parameter(torch.randn(8, 8)), []
    optimizer = kind([{"params": [W], "use_muon": True, "lr": 0.01}])
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    W.grad = torch.randn(8, 8)
    optimizer.step()
    return len(calls)


seen = [hooks(MuonClip), hooks(Muon), hooks(MuonClip)]
print("MuonClip, Muon, MuonClip:", seen)
assert seen == [1, 1, 2]
PY
