#!/usr/bin/env bash
# heavyball: a step clears the gradients; schedulefree's wrapper: KeyError around Adam and relatives.
#
# Versions: heavyball 3.2.1, schedulefree 1.4.1, torch 2.13.0 (Python 3.11).
# Behaviour: heavyball's optimisers set `p.grad = None` inside `step()`. A post-step hook, a logger of gradient norms, or a
# second optimiser on the same parameters finds no gradient, without an error. schedulefree's ScheduleFreeWrapper puts
# its `z` into the state of the optimiser inside before the first step; those that initialise where the state is empty
# (Adam, AdamW, NAdam, RAdam, RMSprop, Adafactor) take it for initialised and raise KeyError. SGD and Adagrad run.
# Output seen: heavyball AdamW: gradient in the hook None; wrapper: KeyError 'exp_avg' (Adam).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/pip install --quiet --disable-pip-version-check --no-deps heavyball==3.2.1 schedulefree==1.4.1
env/bin/python - <<'PY'
import heavyball
import schedulefree
import torch

heavyball.utils.compile_mode = None
for name in ("SGD", "AdamW", "Muon"):
    W, seen = torch.nn.Parameter(torch.randn(4, 4)), []
    optimizer = getattr(heavyball, name)([W], lr=0.1)
    optimizer.register_step_post_hook(lambda *_: seen.append(W.grad))
    W.grad, before = torch.ones(4, 4), W.detach().clone()
    optimizer.step()
    print("heavyball", name, "gradient in the hook:", seen, "moved:", not torch.equal(before, W))
    assert seen == [None]

failed = set()
for name in ("SGD", "Adagrad", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adafactor"):
    W = torch.nn.Parameter(torch.randn(4, 4))
    optimizer = schedulefree.ScheduleFreeWrapper(getattr(torch.optim, name)([W]))
    optimizer.train()
    W.grad = torch.randn(4, 4)
    try:
        optimizer.step()
    except KeyError as error:
        failed.add(name)
        print("schedulefree wrapper around", name, "KeyError", error)
assert failed == {"Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adafactor"}
PY
