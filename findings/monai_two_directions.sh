#!/usr/bin/env bash
# MONAI: Rotate90 and Rotate turn images in opposite directions.
#
# Versions: monai 1.6.1, torch 2.13.0, numpy 2.4.6 (Python 3.11).
# Behaviour: Rotate90(k=1) is torch.rot90(k=1), a turn from axis 0 towards axis 1. Rotate(pi / 2) and RandRotate are
# torch.rot90(k=-1) in 2D; in 3D Rotate turns by -90 degrees about axes 0 and 2 and by +90 about axis 1. A group element
# taken from one of them is the inverse of the other's: for C4 the set of four is the same, for a label, a vector field
# or a single angle it is not.
# Output seen: Rotate90 [1], Rotate [3], RandRotate [3], Rotate in 3D [[3], [1], [3]] (k of torch.rot90).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check monai==1.6.1 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'PY'
import math

import torch
from monai.transforms import RandRotate, Rotate, Rotate90


def turns(x, y, axes):
    return [k for k in range(4) if (torch.rot90(x, k, axes) - torch.as_tensor(y)).abs().max() < 1e-3]


x = torch.arange(16.0).reshape(1, 4, 4)
quarter = math.pi / 2
found = {
    "Rotate90": turns(x, Rotate90(k=1)(x), (1, 2)),
    "Rotate": turns(x, Rotate(quarter)(x), (1, 2)),
    "RandRotate": turns(x, RandRotate(range_x=(quarter, quarter), prob=1.0)(x), (1, 2)),
}
volume = torch.arange(27.0).reshape(1, 3, 3, 3)
axes = [(2, 3), (1, 3), (1, 2)]
found["Rotate in 3D"] = [
    turns(volume, Rotate([quarter * (i == j) for j in range(3)])(volume), axes[i]) for i in range(3)
]
print(found)
assert found == {"Rotate90": [1], "Rotate": [3], "RandRotate": [3], "Rotate in 3D": [[3], [1], [3]]}
PY
