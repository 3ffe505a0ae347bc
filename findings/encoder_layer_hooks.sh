#!/usr/bin/env bash
# nn.TransformerEncoderLayer: a hook on a child changes the path that runs, a global hook does not and sees no child.
#
# Versions: torch 2.13.0 (Python 3.11).
# Behaviour: in eval mode without gradients the layer runs one fused operator. A forward hook on any child switches to
# the ordinary path, which calls the children: what is observed is not what runs unobserved. A global hook
# (register_module_forward_hook) leaves the fused path on and is told of the layer alone. And a hook on
# self_attn.out_proj is never called on either path: its weight is read by a function.
# Output seen: fused calls 1 without a hook, 0 with one on linear1 (called once), 1 with a global hook (which sees
# TransformerEncoderLayer only), 0 with one on out_proj (called 0 times).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
env/bin/python - <<'PY'
import torch
from torch.nn.modules.module import register_module_forward_hook
from torch.profiler import profile

layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
x = torch.randn(2, 5, 8)


def fused_calls():
    with torch.no_grad(), profile() as seen:
        layer(x)
    return sum(e.count for e in seen.key_averages() if e.key == "aten::_transformer_encoder_layer_fwd")


def with_hook(register):
    calls = []
    handle = register(lambda module, *rest: calls.append(type(module).__name__))
    fused = fused_calls()
    handle.remove()
    return fused, calls


found = {
    "no hook": fused_calls(),
    "hook on linear1": with_hook(layer.linear1.register_forward_hook),
    "global hook": with_hook(register_module_forward_hook),
    "hook on out_proj": with_hook(layer.self_attn.out_proj.register_forward_hook),
}
print(found)
assert found == {
    "no hook": 1,
    "hook on linear1": (0, ["Linear"]),
    "global hook": (1, ["TransformerEncoderLayer"]),
    "hook on out_proj": (0, []),
}
PY
