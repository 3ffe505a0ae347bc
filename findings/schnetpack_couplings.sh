#!/usr/bin/env bash
# SchNetPack's default Clebsch-Gordan table has no coupling with odd l1 + l2 + l3, and flips the sign of some others.
#
# Versions: schnetpack 2.1.1, e3nn 0.6.0, torch 2.13.0, numpy 2.4.6 (Python 3.11). With this torch schnetpack does not import until a
# type variable that its loader asks torch for is supplied by hand.
# Behaviour: harmonics are m = -l..l about z: Y(x, y, z) = sqrt((2l+1)/4 pi) Y_e3nn(y, z, x). generate_clebsch_gordan_rsh by
# default (parity_invariance=True) holds zeros for (1,1,1), (1,2,2), (2,1,2), (2,2,1), so that no cross product can be made,
# and minus e3nn's 3j (times sqrt(2 l3 + 1), in that basis) for (1,1,0), (1,2,1), (2,1,1), (2,2,2).
# With parity_invariance=False all 15 triples up to 2 are there, all of them plus.
# Output seen: missing [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)], minus [(1, 1, 0), (1, 2, 1), (2, 1, 1), (2, 2, 2)].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 e3nn==0.6.0 numpy==2.4.6 ase==3.29.0 matscipy \
    dirsync fasteners tqdm pytorch-lightning omegaconf torch_ema hydra-core h5py pyyaml torchmetrics
env/bin/pip install --quiet --disable-pip-version-check --no-deps schnetpack==2.1.1
env/bin/python -W ignore - <<'PY'
from itertools import product

import torch
import torch.utils.data.dataloader as loader
from e3nn import o3

missing_name = not hasattr(loader, "T_co")
loader.T_co = None
from schnetpack.nn import RealSphericalHarmonics
from schnetpack.nn.ops.so3 import generate_clebsch_gordan_rsh

v = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=1)
Y = RealSphericalHarmonics(2, "float64")(v)
bases = []
for l in range(3):
    theirs, ours = Y[:, l * l : (l + 1) ** 2], o3.spherical_harmonics(l, v[:, [1, 2, 0]], True)
    assert (theirs - ours).abs().max() < 1e-6, l
    bases.append(torch.linalg.lstsq(o3.spherical_harmonics(l, v, True), ours).solution.T)
signs = {}
for flag in (True, False):
    table = generate_clebsch_gordan_rsh(2, parity_invariance=flag).double()
    for a, b, c in product(range(3), repeat=3):
        if not abs(a - b) <= c <= a + b:
            continue
        C = table[a * a : (a + 1) ** 2, b * b : (b + 1) ** 2, c * c : (c + 1) ** 2]
        w = o3.wigner_3j(a, b, c, dtype=torch.float64) * (2 * c + 1) ** 0.5
        w = torch.einsum("ijk,ai,bj,ck->abc", w, bases[a], bases[b], bases[c])
        factor = float((C * w).sum() / (w * w).sum())
        assert (C - factor * w).abs().max() < 1e-5
        signs[flag, (a, b, c)] = round(factor, 4)
missing = [t for (flag, t), f in signs.items() if flag and f == 0]
minus = [t for (flag, t), f in signs.items() if flag and f == -1]
print("needs help to import:", missing_name, "missing", missing, "minus", minus)
assert missing == [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)]
assert minus == [(1, 1, 0), (1, 2, 1), (2, 1, 1), (2, 2, 2)]
assert all(f == 1 for (flag, _), f in signs.items() if not flag)
PY
