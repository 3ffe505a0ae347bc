#!/usr/bin/env bash
# Most weights of MACE's product basis do nothing, or repeat others: its inputs are equal, and only the symmetric part acts.
#
# Versions: mace-torch 0.3.16, e3nn 0.4.4 (which it pins), torch 2.13.0 (Python 3.11).
# Behaviour: for 0e + 1o + 2e + 3o and correlation 3 the product basis (use_cueq_cg=False) has 23 paths to 0e and 51 to 1o. Symmetrised over the
# three equal inputs they span 8 and 12 dimensions, and five of the 51 are exactly zero: their weights never get a gradient.
# Weight decay, pruning and parameter counts see all of them.
# Output seen: 0e: 23 paths, rank 8, 0 dead; 1o: 51 paths, rank 12, 5 dead.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy scipy sympy opt_einsum opt_einsum_fx matscipy ase \
    configargparse torchmetrics prettytable h5py pandas pyyaml tqdm
env/bin/pip install --quiet --disable-pip-version-check --no-deps e3nn==0.4.4 mace-torch==0.3.16 torch-ema lmdb orjson
TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 env/bin/python -W ignore - <<'PY'
from itertools import permutations

import torch
from mace.tools.cg import U_matrix_real

seen = {}
for out in ("0e", "1o"):
    U = U_matrix_real("1x0e+1x1o+1x2e+1x3o", out, 3, use_cueq_cg=False, dtype=torch.float64)[-1]
    axes = range(U.ndim - 4, U.ndim - 1)
    first = list(range(U.ndim - 4))
    S = sum(U.permute(*first, *order, U.ndim - 1) for order in permutations(axes)) / 6
    S = S.reshape(-1, U.shape[-1])
    dead = int(((S**2).sum(0) < 1e-12).sum())
    seen[out] = U.shape[-1], int(torch.linalg.matrix_rank(S)), dead
print("(paths, rank on equal inputs, dead)", seen)
assert seen == {"0e": (23, 8, 0), "1o": (51, 12, 5)}
PY
