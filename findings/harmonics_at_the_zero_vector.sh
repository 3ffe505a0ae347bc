#!/usr/bin/env bash
# One self-loop before a spherical harmonic: NaN in the features (sphericart), or a force of 1e12 (e3nn, cuEquivariance).
#
# Versions: sphericart-torch 2.0.4, e3nn 0.6.0, cuequivariance-torch 0.13.0 (with cuequivariance 0.13.0), torch 2.13.0 (Python 3.11).
# Behaviour: at the vector (0, 0, 0) sphericart's SphericalHarmonics are NaN from degree 1 on (SolidHarmonics are 0); e3nn's with
# normalize=True are 0, with a derivative of 1.7e12 in each component: finite and wrong. Without normalisation it is 1.73.
# Output seen: sphericart nan, e3nn value 0.0 derivative 1.7e+12, unnormalised 1.73.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 e3nn==0.6.0 sphericart-torch==2.0.4
env/bin/python -W ignore - <<'PY'
import sphericart.torch
import torch
from e3nn import o3

zero = torch.zeros(1, 3, dtype=torch.float64)
spherical = sphericart.torch.SphericalHarmonics(2).compute(zero)
solid = sphericart.torch.SolidHarmonics(2).compute(zero)
seen = {}
for normalize in (True, False):
    x = zero.clone().requires_grad_()
    y = o3.spherical_harmonics(1, x, normalize, "component")
    seen[normalize] = float(y.abs().max()), float(torch.autograd.grad(y.sum(), x)[0].abs().max())
print("sphericart", spherical[0, 1:].tolist(), "solid", solid[0, 1:].tolist(), "e3nn (value, derivative)", seen)
assert spherical[0, 1:].isnan().all() and not solid[0, 1:].any()
assert seen[True][0] == 0 and 1e12 < seen[True][1] < 1e13
assert seen[False][0] == 0 and abs(seen[False][1] - 3**0.5) < 1e-6
PY
