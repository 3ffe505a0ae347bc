#!/usr/bin/env bash
# neuraloperator: on an odd number of points SpectralConv does not commute with shifts.
#
# Versions: neuraloperator 2.0.0, torch 2.13.0 (Python 3.11).
# Behaviour: a Fourier layer commutes with cyclic shifts by construction. On every axis but the last, this release
# undoes its shift of the spectrum by the same shift instead of the inverse one; the two differ at odd sizes, where mode
# k comes out as k - 1. So for these layers "take an odd size" is the wrong advice.
# Output seen (relative error under a shift by one pixel along axis 0 / 1): 32: 2e-7 / 2e-7, 33: 0.18 / 2e-7, 64: 1e-7 /
# 2e-7, 65: 0.09 / 2e-7.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check neuraloperator==2.0.0 torch==2.13.0
env/bin/python - <<'PY'
import torch
from neuralop.layers.spectral_convolution import SpectralConv


@torch.no_grad()
def errors(n):
    torch.manual_seed(0)
    layer, x = SpectralConv(1, 1, (8, 8)), torch.randn(1, 1, n, n)
    y = layer(x)
    return [float((layer(x.roll(1, axis)) - y.roll(1, axis)).norm() / y.norm()) for axis in (2, 3)]


found = {n: errors(n) for n in (32, 33, 64, 65)}
for n, (first, last) in found.items():
    print(f"{n}: {first:.1e} {last:.1e}")
assert all(last < 1e-5 for _, last in found.values())
assert found[32][0] < 1e-5 and found[64][0] < 1e-5
assert found[33][0] > 0.05 and found[65][0] > 0.05
PY
