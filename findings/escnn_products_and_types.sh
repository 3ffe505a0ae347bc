#!/usr/bin/env bash
# escnn's product of two groups has two irreps where one would expect one, and symm-learning answers with a stale weight.
#
# Versions: escnn 1.0.11, symm-learning 0.8.1, numpy 1.26.4, torch 2.13.0 (Python 3.11; a Fortran compiler for py3nj).
# Behaviour: over the reals the product of two irreps of complex type is reducible: C3 X C3 has two irreps called ((1,), (1,)),
# with tensor index 0 and 1 (turning alike, and against each other), each of complex type. Five irreps in all, and sum of
# dim^2 / dim End is the order, 9. symm-learning's eLinear in eval mode keeps its expanded weight, and an in-place edit of
# weight_dof (a decay step, an average, a projection) does not mark it: the output is the old one, bitwise.
# Output seen: [((0,), (0,), 0), ((0,), (1,), 0), ((1,), (0,), 0), ((1,), (1,), 0), ((1,), (1,), 1)], 9.0, stale True.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 symm-learning==0.8.1 escnn==1.0.11
env/bin/python -W ignore - <<'PY'
import torch
from escnn.group import cyclic_group, direct_product, directsum

G = direct_product(cyclic_group(3), cyclic_group(3))
ids = [r.id for r in G.irreps()]
total = sum(r.size**2 / len(r.endomorphism_basis()) for r in G.irreps())
print(ids, total)
assert ids[-2:] == [((1,), (1,), 0), ((1,), (1,), 1)] and len(ids) == 5 and total == G.order()
assert all(r.type == "C" for r in G.irreps() if r.size == 2)

from symm_learning.nn import eLinear

C3 = cyclic_group(3)
r, t = C3.irrep(1), C3.trivial_representation
layer = eLinear(directsum([r, t]), directsum([t, r, r]), bias=False).eval()
x = torch.randn(4, 3)
before = layer(x)
with torch.no_grad():
    layer.weight_dof.mul_(2.0)
stale = torch.equal(layer(x), before)
print("stale", stale)
assert stale
PY
