#!/usr/bin/env bash
# PyTorch Geometric: PPFConv is blind to reflections, and RandomRotate leaves its normals behind.
#
# Versions: torch-geometric 2.8.1, torch 2.13.0 (Python 3.11), float64.
# Behaviour: point pair features are a distance and three unsigned angles, so PPFConv is invariant under O(3) and not
# only under the rotations that its paper names: mirror images of a chiral cloud get the same output. RandomRotate turns
# pos and leaves normal as it is (NormalizeRotation of the same module turns both), so that the features of a rotated
# cloud are those of another one. Its angle counts clockwise: +90 degrees about z takes x to -y. PointNetConv on
# relative positions sees both.
# Output seen: PPFConv 1e-15 under rotation and reflection with normals turned, 1e-1 or more behind RandomRotate;
# PointNetConv 1e-1 or more under both.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch_geometric==2.8.1 torch==2.13.0 numpy==2.4.6
env/bin/python - <<'PY'
import torch
from torch_geometric.data import Data
from torch_geometric.nn import PointNetConv, PPFConv
from torch_geometric.transforms import RandomRotate

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
pos, normal = torch.randn(10, 3), torch.nn.functional.normalize(torch.randn(10, 3))
start = torch.arange(10).repeat(4)
edges = torch.stack([start, (start + torch.arange(1, 5).repeat_interleave(10)) % 10])
features = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 8))
ppf = PPFConv(features, add_self_loops=False)
positions = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 8))
points = PointNetConv(positions, add_self_loops=False)
R, _ = torch.linalg.qr(torch.randn(3, 3))
R = R * torch.linalg.det(R)
mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0])) @ R


def ppf_error(g_pos, g_normal):
    y = ppf(None, pos, normal, edges).detach()
    return float((ppf(None, g_pos, g_normal, edges).detach() - y).norm() / y.norm())


def points_error(g):
    y = points(None, pos, edges).detach()
    return float((points(None, pos @ g.T, edges).detach() - y).norm() / y.norm())


turned = RandomRotate((90.0, 90.0), axis=2)(Data(pos=pos.clone(), normal=normal.clone()))
found = {
    "PPFConv, rotation": ppf_error(pos @ R.T, normal @ R.T),
    "PPFConv, reflection": ppf_error(pos @ mirror.T, normal @ mirror.T),
    "PPFConv, RandomRotate": ppf_error(turned.pos, turned.normal),
    "PointNetConv, rotation": points_error(R),
    "PointNetConv, reflection": points_error(mirror),
}
print({name: f"{error:.0e}" for name, error in found.items()})
assert found["PPFConv, rotation"] < 1e-12 and found["PPFConv, reflection"] < 1e-12
assert found["PPFConv, RandomRotate"] > 1e-2
assert found["PointNetConv, rotation"] > 1e-2 and found["PointNetConv, reflection"] > 1e-2
assert torch.equal(turned.normal, normal)
x = RandomRotate((90.0, 90.0), axis=2)(Data(pos=torch.tensor([[1.0, 0.0, 0.0]]))).pos
assert torch.allclose(x, torch.tensor([[0.0, -1.0, 0.0]]), atol=1e-12)
PY
