"""A quarter turn about z in the order of each package, and the same quaternion times 2."""

from collections.abc import Callable
from typing import Any

import numpy as np

Turned = Callable[[Any], Any]
HALF = 0.5**0.5
ORDERS = {"scalar first": [HALF, 0.0, 0.0, HALF], "scalar last": [0.0, 0.0, HALF, HALF]}
X = [1.0, 0.0, 0.0]


def outcomes(turn: Turned) -> dict[str, Any]:
    """The order under which (1, 0, 0) goes to (0, 1, 0), and where twice that quaternion takes it."""
    right = [name for name, q in ORDERS.items() if np.allclose(np.asarray(turn(np.array(q))), [0, 1, 0], atol=1e-6)]
    doubled = [(np.round(np.asarray(turn(2 * np.array(ORDERS[name]))), 6) + 0.0).tolist() for name in right]
    return {"order": right[0] if len(right) == 1 else "neither", "doubled": doubled[0] if doubled else None}


def e3nn() -> dict[str, Any]:
    import torch
    from e3nn import o3

    return outcomes(lambda q: o3.quaternion_to_matrix(torch.from_numpy(q)) @ torch.tensor(X, dtype=torch.float64))


def scipy() -> dict[str, Any]:
    from scipy.spatial.transform import Rotation

    return outcomes(lambda q: Rotation.from_quat(q).apply(X))


def roma() -> dict[str, Any]:
    import roma
    import torch

    return outcomes(lambda q: roma.unitquat_to_rotmat(torch.from_numpy(q)) @ torch.tensor(X, dtype=torch.float64))


def pypose() -> dict[str, Any]:
    import pypose
    import torch

    return outcomes(lambda q: pypose.SO3(torch.from_numpy(q)).Act(torch.tensor(X, dtype=torch.float64)))


def jaxlie() -> dict[str, Any]:
    import jaxlie
    from jax import numpy as jnp

    return outcomes(lambda q: jaxlie.SO3(jnp.asarray(q)).apply(jnp.asarray(X)))


def kornia() -> dict[str, Any]:
    import torch
    from kornia.geometry.conversions import quaternion_to_rotation_matrix

    return outcomes(lambda q: quaternion_to_rotation_matrix(torch.from_numpy(q)) @ torch.tensor(X, dtype=torch.float64))


def numpy_quaternion() -> dict[str, Any]:
    import quaternion

    return outcomes(lambda q: quaternion.as_rotation_matrix(quaternion.from_float_array(q)) @ X)


def quaternionic() -> dict[str, Any]:
    import quaternionic as package

    return outcomes(lambda q: package.array(q).to_rotation_matrix @ X)


PROBES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "e3nn `quaternion_to_matrix`": ("e3nn", e3nn),
    "scipy `Rotation.from_quat`": ("scipy", scipy),
    "roma `unitquat_to_rotmat`": ("roma", roma),
    "pypose `SO3.Act`": ("pypose", pypose),
    "jaxlie `SO3.apply`": ("jaxlie", jaxlie),
    "kornia `quaternion_to_rotation_matrix`": ("kornia", kornia),
    "numpy-quaternion `as_rotation_matrix`": ("numpy-quaternion", numpy_quaternion),
    "quaternionic `to_rotation_matrix`": ("quaternionic", quaternionic),
}


def markdown(record: dict[str, Any]) -> str:
    """The table, one row a function."""
    rows = ["| function | version, measured | order | twice the quaternion takes (1, 0, 0) to |", "|---|---|---|---|"]
    for name, entry in record.items():
        doubled = "(" + ", ".join(f"{x + 0.0:g}" for x in entry["doubled"]) + ")" if entry["doubled"] else "-"
        right = " (it normalises)" if doubled == "(0, 1, 0)" else ""
        rows.append(f"| {name} | {entry['version']}, {entry['date']} | {entry['order']} | {doubled}{right} |")
    return "\n".join(rows)
