#!/usr/bin/env bash
# HEALPix: 16 of the 48 symmetries of the cube permute its pixels, though its base faces look like more.
#
# Versions: healpy 1.20.1, numpy 2.4.6 (Python 3.11).
# Behaviour: twelve base pixels of equal area, as many as a cube has edges and a rhombic dodecahedron has faces, invite
# the octahedral group. At every nside only the 16 symmetries that keep the z axis permute the pixel centres (D4h); none
# that exchanges z with x or y does.
# Output seen: nside 1, 2, 4: 16 of 48, all with R[2, 2] = +-1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check healpy==1.20.1 numpy==2.4.6
env/bin/python - <<'PY'
import itertools

import healpy
import numpy as np

cube = []
for places in itertools.permutations(range(3)):
    for signs in itertools.product((1, -1), repeat=3):
        R = np.zeros((3, 3))
        R[range(3), places] = signs
        cube.append(R)
for nside in (1, 2, 4):
    centres = np.array(healpy.pix2vec(nside, np.arange(healpy.nside2npix(nside)))).T
    kept = [R for R in cube if np.abs((centres @ R.T)[:, None] - centres[None]).max(2).min(1).max() < 1e-9]
    print(f"nside {nside}: {len(kept)} of {len(cube)}")
    assert len(cube) == 48
    assert len(kept) == 16
    assert all(abs(R[2, 2]) == 1 for R in kept)
PY
