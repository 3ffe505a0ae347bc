#!/usr/bin/env bash
# e3x's default order looks like e3nn's at degree 1 and is a permutation by m, about another axis, from degree 2 on.
#
# Versions: e3x 1.0.2, jax 0.10.2, flax 0.12.8, e3nn 0.6.0, torch 2.13.0 (Python 3.11).
# Behaviour: at l = 1 components are x, y, z, as in e3nn. At l = 2 they are m = 2, -2, 1, -1, 0 about z: no component of e3nn's stands in its
# place. The order is no rotation of e3nn's either, so that couplings of three axes in this order are not equivariant
# under e3nn's matrices, though each axis is an irrep. cartesian_order=False gives m = -l..l, y, z, x at l = 1, a rotation of e3nn's.
# Output seen: l = 1 identity; l = 2 rows as asserted below; the coupling 1 x 1 -> 2 keeps 0.57 of its norm under e3nn's types.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 e3nn==0.6.0 e3x==1.0.2 jax==0.10.2 flax==0.12.8
JAX_PLATFORMS=cpu env/bin/python -W ignore - <<'PY'
import jax

jax.config.update("jax_enable_x64", True)
import e3x
import numpy as np
import torch
from e3nn import o3

v = np.random.default_rng(0).normal(size=(20, 3))
v /= np.linalg.norm(v, axis=1, keepdims=True)
bases = {}
for cartesian in (True, False):
    Y = np.asarray(e3x.so3.spherical_harmonics(v, 2, r_is_normalized=True, cartesian_order=cartesian))
    for l in (1, 2):
        E = o3.spherical_harmonics(l, torch.from_numpy(v), True, "norm").numpy()
        bases[cartesian, l] = np.linalg.lstsq(E, Y[:, l * l : (l + 1) ** 2], rcond=None)[0].T
h = 3**0.5 / 2
expected = [[0, 0, -h, 0, -0.5], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, -0.5, 0, h]]
print(bases[True, 2].round(3))
assert np.allclose(bases[True, 1], np.eye(3), atol=1e-9) and np.allclose(bases[True, 2], expected, atol=1e-9)
w = o3.wigner_3j(1, 1, 2, dtype=torch.float64).numpy()
kept = {}
for cartesian in (True, False):
    A, B = bases[cartesian, 1], bases[cartesian, 2]
    theirs = np.einsum("ijk,ai,bj,ck->abc", w, A, A, B)
    kept[cartesian] = abs((theirs * w).sum()) / (w * w).sum()
print("share of the coupling 1 x 1 -> 2 that e3nn's types keep:", kept)
assert abs(kept[True] - 0.574) < 0.01 and abs(kept[False] - 1) < 1e-9
PY
