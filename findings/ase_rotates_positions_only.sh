#!/usr/bin/env bash
# ASE: Atoms.rotate turns positions and leaves momenta and magnetic moments where they were.
#
# Versions: ase 3.29.0, numpy 2.4.6 (Python 3.11).
# Behaviour: rotate and euler_rotate change positions (and, on request, the cell). Momenta, velocities and vector
# magnetic moments of the same object stay, silently: the result is another physical state and no rotated copy, with
# another angular momentum. Forces of an attached calculator are dropped, which is safe. Turn by hand what is a vector
# when augmenting.
# Output seen: position (1, 0, 0) -> (0, 1, 0), its momentum and magnetic moment still (1, 0, 0); the pair's angular
# momentum, (0, 0, 0) before, is (0, 0, -2) after.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ase==3.29.0 numpy==2.4.6
env/bin/python - <<'PY'
import numpy as np
from ase import Atoms

x, y = np.eye(3)[0], np.eye(3)[1]
for turn in (lambda pair: pair.rotate(90, "z"), lambda pair: pair.euler_rotate(phi=-90)):
    pair = Atoms("H2", positions=[x, -x], momenta=[x, -x], magmoms=[x, -x])
    before = pair.get_angular_momentum()
    turn(pair)
    after = pair.get_angular_momentum()
    momentum, moment = pair.get_momenta()[0], pair.get_initial_magnetic_moments()[0]
    print(pair.positions[0].round(6) + 0.0, momentum, moment, before, after.round(6) + 0.0)
    assert abs(abs(pair.positions[0] @ y) - 1) < 1e-12
    assert np.array_equal(momentum, x)
    assert np.array_equal(moment, x)
    assert np.allclose(before, 0)
    assert abs(after[2]) > 1.9
PY
