#!/usr/bin/env bash
# torch: the step of a fused optimiser is not seen by autograd, which then returns a wrong gradient without an error.
#
# Versions: torch 2.13.0 (Python 3.11, CPU).
# Behaviour: autograd notices that a tensor which it has saved was changed in place, by a count of versions. A plain or a
# foreach step raises the count, and a backward pass that follows raises RuntimeError. A fused step does not: the
# backward pass takes the new values for the old. So a step between forward and backward (two losses with one graph, a
# penalty that is backpropagated after the step, pipelines with stale weights) is an error or a wrong number depending
# on `fused=`. The count cannot tell whether an optimiser has updated a parameter, either.
# Output seen: gradient of W^2 at W = 1, which is 2: RuntimeError, RuntimeError, and 1.0 with fused=True, after one step to 0.5.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'PY'
import torch

seen = {}
for name in ("plain", "foreach", "fused"):
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad):
        W = torch.nn.Parameter(torch.ones(3))
        optimizer = kind([W], lr=0.5, **({} if name == "plain" else {name: True}))
        loss = (W * W).sum()  # saves W
        W.grad, version = torch.ones(3), W._version
        optimizer.step()
        try:
            (gradient,) = torch.autograd.grad(loss, W)
            outcome = gradient.tolist()
        except RuntimeError as error:
            outcome = str(error)[:70]
        print(name, kind.__name__, "versions", W._version - version, outcome)
        seen[name, kind.__name__] = outcome
        noticed = isinstance(outcome, str)
        assert noticed == (W._version > version) == (name != "fused")
assert all(abs(x - 1.0) < 1e-6 for x in seen["fused", "SGD"])
PY
