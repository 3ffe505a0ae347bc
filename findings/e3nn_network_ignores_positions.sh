#!/usr/bin/env bash
# A fresh network of e3nn.nn.models.v2106 gives the same output for every geometry: a test of equivariance on it tests nothing.
#
# Versions: e3nn 0.6.0, torch 2.13.0, numpy 2.4.6 (Python 3.11).
# Behaviour: the convolution ends in `self_connection + alpha * messages` where the self connection reaches, and the weights of
# alpha begin as zero. So invariants and vectors of the output come from the node's own features over all layers, whatever
# the positions are: moving the points at random changes nothing (0.0), until alpha has been trained. A rotation test of the
# new network passes for the same reason, with the harmonics or the couplings wrong too.
# Output seen: as made, largest change 0.0; with alpha drawn, largest change above 0.001.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 e3nn==0.6.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import torch
from e3nn.nn.models.v2106.gate_points_networks import SimpleNetwork

torch.manual_seed(0)
net = SimpleNetwork("3x0e + 2x1o", "4x0e + 1x1o", max_radius=5.0, num_neighbors=5.0, num_nodes=8.0, mul=4, layers=2)
x = net.irreps_in.randn(8, -1)
places = [torch.randn(8, 3) for _ in range(2)]


def change():
    with torch.no_grad():
        one, two = (net({"pos": pos, "x": x}) for pos in places)
    return float((one - two).abs().max())


before = change()
for name, parameter in net.named_parameters():
    if "alpha" in name:
        torch.nn.init.normal_(parameter, std=0.1)
after = change()
print(f"as made, largest change {before}; with alpha drawn, {after:.3g}")
raise SystemExit(not (before == 0.0 and after > 1e-3))
PY
