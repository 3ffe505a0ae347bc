#!/usr/bin/env bash
# spgrep: the rotations of twelve of the 32 point groups are not orthogonal matrices.
#
# Versions: spgrep 0.8.0, numpy 2.4.6 (Python 3.11).
# Behaviour: the tables hold each rotation in lattice coordinates, R with R^T G R = G for the lattice's metric G. For
# the 20 cubic, tetragonal, orthorhombic, monoclinic and triclinic groups these are orthogonal; for the 12 trigonal and
# hexagonal ones they are not, and nothing in type or shape says so. Used on Cartesian vectors they scale and shear.
# Conjugated by the lattice's basis they are orthogonal.
# Output seen: 12 of 32: 3, -3, 32, 3m, -3m, 6, -6, 6/m, 622, 6mm, -6m2, 6/mmm; orthogonal to 2e-16 after conjugation.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check spgrep==0.8.0 numpy==2.4.6
env/bin/python - <<'PY'
import numpy as np
from spgrep.symmetry.pointgroup import pg_dataset


def largest_defect(rotations):
    return max(float(np.abs(R @ R.T - np.eye(3)).max()) for R in rotations)


groups = {name: [np.array(R, dtype=float) for R in tables[0]] for name, tables in pg_dataset.items()}
skew = [name for name, rotations in groups.items() if largest_defect(rotations) > 0]
print(len(groups), skew)
assert len(groups) == 32
assert set(skew) == {"3", "-3", "32", "3m", "-3m", "6", "-6", "6/m", "622", "6mm", "-6m2", "6/mmm"}
# The columns are the hexagonal lattice's basis.
A = np.array([[1, -0.5, 0], [0, np.sqrt(0.75), 0], [0, 0, 1]])
mended = max(largest_defect(A @ R @ np.linalg.inv(A) for R in groups[name]) for name in skew)
print(f"conjugated: {mended:.1e}")
assert mended < 1e-14
PY
