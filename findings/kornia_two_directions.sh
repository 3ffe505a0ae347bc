#!/usr/bin/env bash
# kornia.augmentation: the same angle turns one way in RandomRotation, the other way in RandomAffine.
#
# Versions: kornia 0.9.0, torch 2.13.0 (Python 3.11).
# Behaviour: with degrees (90, 90), RandomRotation (and geometry.rotate) is torch.rot90(k=1), RandomAffine is k=-1. In
# the same plane of a volume (height and width, the third angle) both are reversed: RandomRotation3D is k=-1 and
# RandomAffine3D k=1, so that the 2D and the 3D class of one name disagree as well.
# Output seen: rotate [1], RandomRotation [1], RandomAffine [3], RandomRotation3D [3], RandomAffine3D [1].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check kornia==0.9.0 torch==2.13.0
env/bin/python - <<'PY'
import kornia
import kornia.augmentation as K
import torch


def turns(x, y, axes):
    return [k for k in range(4) if (torch.rot90(x, k, axes) - y).abs().max() < 1e-2]


x, quarter = torch.arange(25.0).reshape(1, 1, 5, 5), (90.0, 90.0)
volume, still = torch.arange(125.0).reshape(1, 1, 5, 5, 5), (0.0, 0.0)
found = {
    "rotate": turns(x, kornia.geometry.rotate(x, torch.tensor([90.0])), (2, 3)),
    "RandomRotation": turns(x, K.RandomRotation(degrees=quarter, p=1.0)(x), (2, 3)),
    "RandomAffine": turns(x, K.RandomAffine(degrees=quarter, p=1.0)(x), (2, 3)),
    "RandomRotation3D": turns(volume, K.RandomRotation3D(degrees=(still, still, quarter), p=1.0)(volume), (3, 4)),
    "RandomAffine3D": turns(volume, K.RandomAffine3D(degrees=(still, still, quarter), p=1.0)(volume), (3, 4)),
}
print(found)
assert found == {
    "rotate": [1],
    "RandomRotation": [1],
    "RandomAffine": [3],
    "RandomRotation3D": [3],
    "RandomAffine3D": [1],
}
PY
