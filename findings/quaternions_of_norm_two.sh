#!/usr/bin/env bash
# Quaternions that are not normalised: four packages give four answers, one of them the identity.
#
# Versions: e3nn 0.6.0, roma 1.8.0, pypose 0.9.5, scipy 1.17.1, torch 2.13.0 (Python 3.11).
# Behaviour: a quarter turn about z, as a quaternion of norm 2 (in each package's order), applied to (1, 0, 0). scipy
# normalises: (0, 1, 0). e3nn clamps the scalar part to 1 before its arc cosine: the identity, (1, 0, 0), silently.
# roma's unitquat_to_rotmat scales: (0, 4, 0), while its quat_action normalises. pypose gives (-3, 4, 0). With norm 1
# all of them give (0, 1, 0).
# Output seen: scipy (0, 1, 0), e3nn (1, 0, 0), roma matrix (0, 4, 0), roma action (0, 1, 0), pypose (-3, 4, 0).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check e3nn==0.6.0 roma==1.8.0 pypose==0.9.5 scipy==1.17.1 torch==2.13.0
env/bin/python - <<'PY'
import math

import pypose
import roma
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

half = math.sqrt(0.5)
first = torch.tensor([half, 0, 0, half], dtype=torch.float64)  # scalar first: e3nn
last = first.roll(-1)  # scalar last: the others
x = torch.tensor([1, 0, 0], dtype=torch.float64)


def images(norm):
    return {
        "scipy": torch.as_tensor(Rotation.from_quat((norm * last).numpy()).apply(x.numpy())),
        "e3nn": o3.quaternion_to_matrix(norm * first) @ x,
        "roma matrix": roma.unitquat_to_rotmat(norm * last) @ x,
        "roma action": roma.quat_action(norm * last, x),
        "pypose": torch.as_tensor(pypose.SO3(norm * last).Act(x)),
    }


unit = {name: [round(v, 6) + 0.0 for v in image.tolist()] for name, image in images(1).items()}
double = {name: [round(v, 6) + 0.0 for v in image.tolist()] for name, image in images(2).items()}
print("norm 1:", unit)
print("norm 2:", double)
assert all(image == [0, 1, 0] for image in unit.values())
assert double == {
    "scipy": [0, 1, 0],
    "e3nn": [1, 0, 0],
    "roma matrix": [0, 4, 0],
    "roma action": [0, 1, 0],
    "pypose": [-3, 4, 0],
}
PY
