#!/usr/bin/env bash
# e3nn's S2Activation breaks the inversion that irreps of O(3) promise, as its grid has an odd number of angles.
#
# Versions: e3nn 0.6.0, torch 2.13.0 (Python 3.11).
# Behaviour: res=10 gives a grid of 10 x 9 points (res_alpha = res - 1): turns about y by 2 pi / 9 are exact, but neither the
# inversion nor a half turn about y is (18 % of the output at res 10, 2e-4 at 20). res=(20, 20) has both exact at the same cost.
# Output seen: inversion off by 1.8e-01 at 10, 1.8e-04 at 20, 1.0e-15 at (20, 20).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 e3nn==0.6.0
env/bin/python -W ignore - <<'PY'
import math

import torch
from e3nn import nn, o3

torch.set_default_dtype(torch.float64)
irreps = o3.Irreps("0e + 1o + 2e + 3o")
x = torch.randn(50, irreps.dim, generator=torch.Generator().manual_seed(0))


def error(f, R):
    turned = f(x @ irreps.D_from_matrix(R).T) - f(x) @ f.irreps_out.D_from_matrix(R).T
    return float(turned.abs().max() / f(x).abs().max())


half = o3.matrix_y(torch.tensor(math.pi))
errors = {}
for res in (10, 20, (20, 20)):
    f = nn.S2Activation(irreps, torch.nn.functional.silu, res)
    errors[res] = error(f, -torch.eye(3)), error(f, half)
    print(res, "inversion %.1e, half turn about y %.1e" % errors[res])
assert min(errors[10]) > 1e-2 and min(errors[20]) > 1e-6
assert max(errors[20, 20]) < 1e-13
PY
