#!/usr/bin/env bash
# peft: LoRA beside a convolution with circular padding pads with zeros, so that merging it changes the network.
#
# Versions: peft 0.21.0, transformers 5.24.0, accelerate 1.15.0, torch 2.13.0 (Python 3.11).
# Behaviour: LoRA (and DoRA) on nn.Conv2d make their first factor a convolution of the base's kernel size, stride and
# padding, but not of its padding mode. Beside padding_mode="circular" (or "reflect") the adapter therefore sees zeros where
# the base sees the other side: the layer no longer commutes with shifts of a torus, and after merge_adapter(), which adds the
# product of the factors to the base's kernel, it computes something else. Neither get_peft_model nor merge warns.
# Output seen: merged against unmerged output, relative: circular 0.12, reflect 0.12, zeros 4e-16;
# error of a shift of the torus: base 4e-17, with the adapter 0.12, merged 4e-17.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/pip install --quiet --disable-pip-version-check peft==0.21.0 transformers==5.24.0 accelerate==1.15.0
env/bin/python - <<'PY'
import peft
import torch
from torch import nn

x = torch.randn(2, 8, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def relative(a, b):
    return float((a - b).norm() / b.norm())


def shift_error(net):
    return relative(net(x.roll(2, -1)), net(x).roll(2, -1))


with torch.no_grad():
    seen = {}
    for mode in ("circular", "reflect", "zeros"):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, padding_mode=mode)).double()
        before = shift_error(net)
        model = peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["0"]))
        nn.init.normal_(net[0].lora_B["default"].weight, std=0.1)
        unmerged, moved = net(x), shift_error(net)
        model.merge_adapter()
        seen[mode] = relative(net(x), unmerged)
        print(f"{mode}: merged against unmerged {seen[mode]:.1e}")
        if mode == "circular":
            print(f"shift of the torus: base {before:.1e}, with the adapter {moved:.1e}, merged {shift_error(net):.1e}")
            assert before < 1e-12 < 0.01 < moved and shift_error(net) < 1e-12, "the adapter's padding has changed"
assert seen["circular"] > 0.01 and seen["reflect"] > 0.01 and seen["zeros"] < 1e-12, "the adapter's padding has changed"
PY
