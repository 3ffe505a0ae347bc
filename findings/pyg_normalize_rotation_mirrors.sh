#!/usr/bin/env bash
# PyTorch Geometric: NormalizeRotation turns point clouds into their mirror images, and into no fixed pose.
#
# Versions: torch-geometric 2.8.1, torch 2.13.0 (Python 3.11).
# Behaviour: it "rotates all points according to the eigenvectors of the point cloud" multiplies by the eigenvector
# matrix, whose determinant nobody looks at. On all of 40 random clouds it is -1: a reflection, so that a left-handed
# molecule comes out as a right-handed one. Signs of the eigenvectors are not fixed either: the same cloud, rotated
# before, ends in several poses, with sort=True too. So it neither normalises nor rotates.
# Output seen: determinants -1 in 40 of 40; 7 poses of one cloud under 20 rotations, with and without sort.
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
from torch_geometric.transforms import NormalizeRotation

generator = torch.Generator().manual_seed(0)


def cloud():
    spread = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    points = torch.randn(12, 3, dtype=torch.float64, generator=generator) * spread
    return points - points.mean(0)


def rotation():
    Q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))
    return Q * torch.linalg.det(Q)  # in three dimensions -Q has the other determinant


def determinant(points, moved):
    return round(float(torch.linalg.det(torch.linalg.lstsq(points, moved).solution)))


clouds = [cloud() for _ in range(40)]
determinants = [determinant(points, NormalizeRotation()(Data(pos=points)).pos) for points in clouds]
print("determinants", {d: determinants.count(d) for d in set(determinants)})
assert -1 in determinants
poses = {}
for sort in (False, True):
    seen = []
    for _ in range(20):
        pose = NormalizeRotation(sort=sort)(Data(pos=clouds[0] @ rotation().T)).pos
        if not any(torch.allclose(pose, other, atol=1e-8) for other in seen):
            seen.append(pose)
    poses[sort] = len(seen)
print("poses of one cloud, by sort:", poses)
assert min(poses.values()) > 1
PY
