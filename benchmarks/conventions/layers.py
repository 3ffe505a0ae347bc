"""Arrays and weights of foreign layers, as the tests replay them: made by the package alone, without ours."""

from typing import Any

import numpy as np

from benchmarks.conventions.points import directions, turns
from intertwine._numerics import Array


def reflected() -> Array:
    """A turn, and a turn with a reflection, shape (2, 3, 3)."""
    return turns(2) * np.array([1.0, -1.0])[:, None, None]


def schnetpack_couplings() -> list[Any]:
    """All couplings to degree 2, shape (9, 9, 9), float32-exact as schnetpack has them."""
    from schnetpack.nn.ops.so3 import generate_clebsch_gordan_rsh

    return np.asarray(generate_clebsch_gordan_rsh(2, parity_invariance=False), dtype=np.float64).round(7).tolist()


def e3x_network(cartesian_order: bool) -> dict[str, Any]:
    """Features of a small network at directions and at turned ones, and the matrix of a Dense layer.

    The product of two vectors fills both parities: pseudovectors lie at parity index 0, beside even scalars.
    """
    import e3x
    import flax.linen as nn
    import jax

    class Network(nn.Module):
        @nn.compact
        def __call__(self, r: Any) -> Any:
            options = {"cartesian_order": cartesian_order}
            x = e3x.nn.basis(r, num=2, max_degree=1, radial_fn=e3x.nn.exponential_gaussian, **options)
            x = x.sum(axis=0, keepdims=True)  # one direction alone has no pseudovectors
            for _ in range(2):
                product = e3x.nn.Tensor(max_degree=2, include_pseudotensors=True, **options)
                x = product(e3x.nn.Dense(2)(x), e3x.nn.Dense(2)(x))
            return x

    r = directions()[:3] * np.array([[0.7], [1.1], [1.6]])
    network = Network()
    parameters = network.init(jax.random.PRNGKey(0), r)
    features = [np.asarray(network.apply(parameters, r @ g.T)) for g in (np.eye(3), *reflected())]
    shape = (2, 4, 2)
    dense = e3x.nn.Dense(2, use_bias=True)
    eye = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    weights = dense.init(jax.random.PRNGKey(1), eye)
    bias = np.asarray(dense.apply(weights, np.zeros((1, *shape)))).reshape(-1)
    matrix = np.asarray(dense.apply(weights, eye)).reshape(len(eye), -1).T - bias[:, None]
    return {
        "elements": reflected().tolist(),
        "features": [f.tolist() for f in features],
        "dense": {"shape": shape, "matrix": matrix.tolist(), "bias": (bias + 0.5 * (bias != 0)).tolist()},
    }


def featomic_blocks() -> dict[str, Any]:
    """Keys, components and values of the spherical expansion of four atoms and of these turned; matrices of turns."""
    from ase import Atoms
    from featomic import SphericalExpansion

    calculator = SphericalExpansion(
        cutoff={"radius": 4.0, "smoothing": {"type": "ShiftedCosine", "width": 0.5}},
        density={"type": "Gaussian", "width": 0.5},
        basis={"type": "TensorProduct", "max_angular": 3, "radial": {"type": "Gto", "max_radial": 1}},
    )
    positions = 1.2 * np.random.default_rng(2).normal(size=(9, 3))

    def blocks(g: Array, atoms: str) -> Any:
        found = calculator.compute([Atoms(atoms, positions[: len(atoms)] @ g.T)])
        return found.keys_to_samples("center_type").keys_to_properties("neighbor_type")

    matrices, many = [], [blocks(g, "CHHOCNOHN") for g in (np.eye(3), *turns())]
    for row in range(len(many[0])):
        components = [np.moveaxis(np.asarray(b.block(row).values), 1, 0) for b in many]
        before, *after = (c.reshape(len(c), -1) for c in components)
        matrices.append([np.linalg.lstsq(before.T, a.T, rcond=None)[0].T.tolist() for a in after])
    found = [blocks(g, "CHHO") for g in (np.eye(3), *reflected())]
    start = found[0]
    return {
        "matrices": matrices,
        "more": {
            "names": list(start.keys.names),
            "keys": np.asarray(start.keys.values).tolist(),
            "components": [[axis.values.reshape(-1).tolist() for axis in block.components] for block in start.blocks()],
            "elements": reflected().tolist(),
            "values": [[b.values.tolist() for b in turned.blocks()] for turned in found],
        },
    }


def fairchem_convolution() -> dict[str, Any]:
    """Matrices of turns in fairchem's frames, and one SO2_Convolution: order, stored weights, the map that it makes."""
    from pathlib import Path

    import torch
    from fairchem.core.models.uma.common import rotation
    from fairchem.core.models.uma.common.so3 import CoefficientMapping
    from fairchem.core.models.uma.nn.so2_layers import SO2_Convolution

    jd = [j.double() for j in torch.load(Path(rotation.__file__).parents[1] / "Jd.pt", weights_only=True)]
    frames = []
    for l in range(4):
        row = []
        for g in turns():
            alpha, beta, gamma = (torch.tensor([angle], dtype=torch.float64) for angle in euler(g))
            row.append(rotation.wigner_D(l, alpha, beta, gamma, jd)[0].tolist())
        frames.append(row)
    mapping = CoefficientMapping(2, 2).double()
    torch.manual_seed(0)
    layer = SO2_Convolution(2, 3, 2, 2, mapping).double()
    eye = torch.eye(18, dtype=torch.float64).reshape(18, 9, 2)
    with torch.no_grad():
        bias = layer(torch.zeros(1, 9, 2, dtype=torch.float64))
        matrix = (layer(eye) - bias).reshape(18, -1).T
    rows = mapping.to_m.argmax(1)
    order = [[int(mapping.l_harmonic[i]), int(mapping.m_complex[i])] for i in rows]
    weights = [conv.fc.weight.tolist() for conv in layer.so2_m_conv]
    return {
        "matrices": frames,
        "more": {"order": order, "channels": [2, 3], "weights": weights, "matrix": matrix.tolist()},
    }


def euler(g: Array) -> tuple[float, float, float]:
    """Angles with g = turn_y(alpha) turn_x(beta) turn_y(gamma), as e3nn has them."""
    from intertwine.groups.irreps.wigner import euler_angles

    alpha, beta, gamma = euler_angles(g[None])
    return float(alpha[0]), float(beta[0]), float(gamma[0])
