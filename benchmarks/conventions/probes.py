"""What each package answers: harmonics at fixed directions, or matrices of fixed turns where it gives no harmonics.

A probe imports its package itself and returns plain lists. What the tests replay beside the basis (arrays, weights) is
under ``"more"``.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.conventions.layers import e3x_network, fairchem_convolution, featomic_blocks, schnetpack_couplings
from benchmarks.conventions.points import DEGREES, directions, turns

Probe = Callable[[], dict[str, Any]]


def cut(values: Any) -> list[Any]:
    """Values (n, (L+1)^2) cut by degree."""
    array = np.asarray(values, dtype=np.float64)
    return [array[:, l * l : (l + 1) ** 2].tolist() for l in DEGREES]


def e3nn() -> dict[str, Any]:
    import torch
    from e3nn import o3

    v = torch.from_numpy(directions())
    return {"harmonics": cut(o3.spherical_harmonics(list(DEGREES), v, normalize=True))}


def cuequivariance() -> dict[str, Any]:
    import cuequivariance as cue

    polynomial = cue.descriptors.spherical_harmonics(cue.SO3(1), list(DEGREES))
    return {"harmonics": cut([polynomial(v)[0] for v in directions()])}


def schnetpack() -> dict[str, Any]:
    import torch
    import torch.utils.data.dataloader as loader

    if not hasattr(loader, "T_co"):  # asked for by schnetpack 2.1.1, gone from torch 2.13
        loader.T_co = None  # type: ignore[attr-defined]
    from schnetpack.nn import RealSphericalHarmonics

    v = torch.from_numpy(directions())
    return {
        "harmonics": cut(RealSphericalHarmonics(max(DEGREES), "float64")(v)),
        "more": {"couplings": schnetpack_couplings()},
    }


def sphericart() -> dict[str, Any]:
    import sphericart.torch
    import torch

    return {"harmonics": cut(sphericart.torch.SphericalHarmonics(max(DEGREES)).compute(torch.from_numpy(directions())))}


def e3x(*, cartesian_order: bool) -> dict[str, Any]:
    import jax

    jax.config.update("jax_enable_x64", True)
    import e3x

    values = e3x.so3.spherical_harmonics(
        directions(), max(DEGREES), r_is_normalized=True, cartesian_order=cartesian_order
    )
    return {"harmonics": cut(values), "more": e3x_network(cartesian_order)}


def escnn() -> dict[str, Any]:
    from escnn import group

    G = group.so3_group(max(DEGREES))
    elements = [G.element(g, "MAT") for g in turns()]
    return {"matrices": [[G.irrep(l)(g).tolist() for g in elements] for l in DEGREES]}


def featomic() -> dict[str, Any]:
    return featomic_blocks()


def fairchem() -> dict[str, Any]:
    return fairchem_convolution()


# row of the table -> (distribution, probe)
PROBES: dict[str, tuple[str, Probe]] = {
    "e3nn": ("e3nn", e3nn),
    "cuEquivariance": ("cuequivariance", cuequivariance),
    "fairchem (eSEN, UMA), frames": ("fairchem-core", fairchem),
    "SchNetPack": ("schnetpack", schnetpack),
    "sphericart": ("sphericart-torch", sphericart),
    "featomic, metatensor": ("featomic", featomic),
    "escnn, SO(3) and O(3)": ("escnn", escnn),
    "e3x, `cartesian_order=False`": ("e3x", lambda: e3x(cartesian_order=False)),
    "e3x, default": ("e3x", lambda: e3x(cartesian_order=True)),
}


def installed(distribution: str) -> str | None:
    """The version of a distribution, None if it is not installed."""
    try:
        return version(distribution)
    except ImportError:  # PackageNotFoundError is one
        return None
