#!/usr/bin/env bash
# timm: in eval mode LeViT, TinyViT, EfficientFormer and EfficientViT (msra) go on with the attention biases of the first run.
#
# Versions: timm 1.0.31, torchvision 0.28.0, torch 2.13.0 (Python 3.11).
# Behaviour: their attention keeps `attention_biases[:, indices]` from the first forward pass in eval mode, until train() or
# eval() is called. Whatever changes the weights in between (load_state_dict, an average of weights copied in, a
# projection, an optimiser step with frozen batch norms) changes the network but for these biases: after load_state_dict the
# model is not the one whose weights it reports, without a warning. Call model.train(); model.eval() after each change.
# Output seen: relative difference between a model after load_state_dict and the model that the weights came from:
# levit_128s 2e-3, tiny_vit_5m_224 1e-2; 0 after train() and eval().
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/pip install --quiet --disable-pip-version-check timm==1.0.31 torchvision==0.28.0
env/bin/python - <<'PY'
import copy
import importlib.util
import pathlib
import re

import torch

# torchvision beside another build of torch lacks its compiled operators, which nothing here calls: their names do.
source = pathlib.Path(importlib.util.find_spec("torchvision").origin).with_name("_meta_registrations.py").read_text()
library = torch.library.Library("torchvision", "DEF")
for operator in sorted({*re.findall(r'register_meta\("(\w+)"', source), *re.findall(r"torchvision::(\w+)", source)}):
    try:
        library.define(f"{operator}(Tensor x) -> Tensor")
    except RuntimeError:  # it is there
        pass

import timm

torch.manual_seed(0)
x = torch.randn(1, 3, 224, 224)
for name in ("levit_128s", "tiny_vit_5m_224"):
    one = timm.create_model(name).eval()
    two = copy.deepcopy(one)
    with torch.no_grad():
        for parameter in two.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        right = two(x)
        one(x)
        one.load_state_dict(two.state_dict())
        stale = float((one(x) - right).norm() / right.norm())
        fresh = float((one.train().eval()(x) - right).norm() / right.norm())
    print(f"{name}: {stale:.1e} after load_state_dict, {fresh:.1e} after train() and eval()")
    assert stale > 1e-4
    assert fresh < 1e-6
PY
