"""Record escnn's sampled kernel bases: writes escnn_kernels.npz beside this file.

The environment is that of record_escnn.py (escnn 1.0.11, lie_learn 0.0.2, py3nj 0.2.1, Python 3.11):

    PYTHONPATH=src /tmp/escnn_venv/bin/python tests/data/record_escnn_kernels.py

Entry ``SO2/1-2/5``: the kernels of ``R2Conv`` (``R3Conv`` for SO3) with default settings between one field of
frequency 1 and one of frequency 2, 5 pixels a side, one kernel for each of its weights: shape (n, d_out, d_in, 5, 5),
float32. Fields are rotated from escnn's basis to that of intertwine, by the adapter; kernels in space are flipped along
their first axis, which is -z in escnn and z here. A pair without entry has no
kernels. C8's regular representation is kept at 3 pixels only, as the larger ones would weigh megabytes; its irreps, of
which escnn composes it, are kept at all sizes.
"""

import json
from pathlib import Path

import numpy as np
import torch
from escnn import gspaces, nn

import intertwine as iw
from intertwine.groups.adapters.notation import as_representation


def sampled_basis(space, first, second, side, convolution):
    """Kernels of the convolution from ``first`` to ``second`` for unit weights, in intertwine's irreps."""
    types = [nn.FieldType(space, [rep]) for rep in (first, second)]
    try:
        layer = convolution(*types, side, bias=False)
    except ValueError:  # an empty basis
        return None
    expansion = layer.basisexpansion
    kernels = np.array([expansion(row).detach().numpy() for row in torch.eye(expansion.dimension())])
    dims = 2 if convolution is nn.R2Conv else 3
    kernels = kernels.reshape(len(kernels), second.size, first.size, *dims * [side])
    if first.name == "regular":  # permutes its basis in escnn's order, which is ours
        return kernels
    if convolution is nn.R3Conv:
        kernels = np.flip(kernels, 3)
    before, after = (iw.decompose(as_representation(kind)).basis.numpy() for kind in types)
    return np.einsum("oa,noi...,ib->nab...", after, kernels, before)


def main() -> None:
    """Record all bases."""
    plane, eighth, solid = gspaces.rot2dOnR2(-1, 3), gspaces.rot2dOnR2(8), gspaces.rot3dOnR3(2)
    arrays = {}
    for side in (3, 5, 7):
        for pair in ((0, 0), (0, 1), (1, 1), (1, 2)):
            reps = [plane.irrep(f) for f in pair]
            arrays[f"SO2/{pair[0]}-{pair[1]}/{side}"] = sampled_basis(plane, *reps, side, nn.R2Conv)
        for first in range(5):
            for second in range(5):
                reps = [eighth.irrep(first), eighth.irrep(second)]
                arrays[f"C8/{first}-{second}/{side}"] = sampled_basis(eighth, *reps, side, nn.R2Conv)
    arrays["C8/regular-regular/3"] = sampled_basis(eighth, *2 * [eighth.regular_repr], 3, nn.R2Conv)
    for side in (3, 5):
        for first in range(3):
            for second in range(3):
                reps = [solid.irrep(first), solid.irrep(second)]
                arrays[f"SO3/{first}-{second}/{side}"] = sampled_basis(solid, *reps, side, nn.R3Conv)
    header = {"escnn": "1.0.11", "numpy": np.__version__, "torch": torch.__version__}
    np.savez_compressed(
        Path(__file__).with_name("escnn_kernels.npz"),
        header=np.array(json.dumps(header)),
        **{name: array.astype(np.float32) for name, array in arrays.items() if array is not None},
    )


if __name__ == "__main__":
    main()
