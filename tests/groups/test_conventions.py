"""Foreign orders of features, on what the packages themselves answered.

They are not installed where the tests run: tests/data/conventions.json is their answers, made by
``python -m benchmarks.conventions --write`` in environments that have them, and says with which versions.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import intertwine as iw
from benchmarks.conventions.table import known_basis, markdown, measured_basis

RECORD = json.loads((Path(__file__).parents[1] / "data" / "conventions.json").read_text())
HARMONICS = RECORD["harmonics"]
ORDERS = {
    "e3nn": "e3nn",
    "cuEquivariance": "e3nn",
    "fairchem (eSEN, UMA), frames": "e3nn",
    "SchNetPack": "z-axis",
    "sphericart": "z-axis",
    "featomic, metatensor": "z-axis",
    "escnn, SO(3) and O(3)": "z-axis",
    "e3x, `cartesian_order=False`": "z-axis",
    "e3x, default": "e3x",
}


def array(value):
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("name", HARMONICS)
def test_each_package_is_in_the_basis_that_we_call_so(name):
    changes, _ = measured_basis(HARMONICS[name], HARMONICS["e3nn"])
    basis, signs = known_basis(changes, signed="harmonics" in HARMONICS[name])
    assert basis == ORDERS[name]
    assert signs in ("all +", "-")


def test_the_guide_has_the_table_of_the_record():
    page = (Path(__file__).parents[2] / "docs" / "guide" / "whose-harmonics.md").read_text()
    assert markdown(HARMONICS) in page


# -- e3x ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "cartesian"), [("e3x, default", True), ("e3x, `cartesian_order=False`", False)])
def test_a_network_of_e3x_turns_its_features_as_typed(name, cartesian):
    more = HARMONICS[name]["more"]
    start, *turned = (array(f) for f in more["features"])
    assert start.shape[1:3] == (2, 9)
    rep = iw.conventions.e3x_features(start.shape, cartesian_order=cartesian)
    swapped = iw.conventions.e3x_features(start.shape, cartesian_order=not cartesian)
    for g, expected in zip(array(more["elements"]), turned, strict=True):
        torch.testing.assert_close(rep.act(g, start.flatten(1)), expected.flatten(1), rtol=0, atol=1e-9)
        assert (swapped.act(g, start.flatten(1)) - expected.flatten(1)).abs().max() > 0.01
    # Even and odd features of degree 1 and 2 are both there: nothing above holds because it is zero.
    assert all(start[:, p, l * l : (l + 1) ** 2].abs().max() > 5e-3 for p in (0, 1) for l in (1, 2))
    assert torch.det(array(more["elements"])).sign().tolist() == [1.0, -1.0]


@pytest.mark.parametrize(("name", "cartesian"), [("e3x, default", True), ("e3x, `cartesian_order=False`", False)])
def test_dense_of_e3x_is_equivariant_whatever_its_kernels(name, cartesian):
    dense = HARMONICS[name]["more"]["dense"]
    rep = iw.conventions.e3x_features(dense["shape"], cartesian_order=cartesian)
    W = array(dense["matrix"])
    assert float(iw.projector(rep, rep).relative_residual(W)) < 1e-12
    assert W.abs().max() > 0.1
    assert iw.projector(rep, rep).rank == 4 * 2 * 2  # a kernel of 2 x 2 for each of 0e, 1e, 0o, 1o
    assert iw.projector(rep).rank == 2  # the bias of the even scalars alone
    assert float(iw.projector(rep).relative_residual(array(dense["bias"]))) < 1e-12


def test_a_parity_axis_of_one_alternates():
    assert str(iw.conventions.e3x_features((7, 1, 9, 4))) == "4x0e + 4x1o (ir_mul) + 4x2e (e3x) (ir_mul)"
    assert str(iw.conventions.e3x_features((2, 4, 1))) == "0e + 1e + 0o + 1o"
    # Harmonics are such features: Y_l(-v) = (-1)^l Y_l(v).
    Y = torch.cat([array(values) for values in HARMONICS["e3x, default"]["harmonics"]], dim=1)
    signs = torch.repeat_interleave(array([1, -1, 1, -1]), torch.tensor([1, 3, 5, 7]))
    torch.testing.assert_close(iw.conventions.e3x_features((1, 16, 1)).act(-torch.eye(3), Y), signs * Y)


@pytest.mark.parametrize(
    "shape", [(2, 9), (3, 9, 4), (2, 8, 4), (2, 0, 4), "2x9x4", 5, None, (2, 9, 4.0), (2, 9, 0), ()]
)
def test_shapes_that_e3x_does_not_have_are_refused(shape):
    with pytest.raises(iw.errors.IntertwineError, match=r"shape(\[\d\])?: expected"):
        iw.conventions.e3x_features(shape)


# -- fairchem -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def convolution():
    return HARMONICS["fairchem (eSEN, UMA), frames"]["more"]


def features(convolution, *, mirror=False):
    return [iw.conventions.fairchem_features(2, 2, c, mirror=mirror) for c in convolution["channels"]]


def test_the_order_by_m(convolution):
    assert convolution["order"] == [[0, 0], [1, 0], [2, 0], [1, 1], [2, 1], [1, -1], [2, -1], [2, 2], [2, -2]]
    assert str(features(convolution)[0]) == "6x0 + 4x1 (ir_mul) + 2x2 (ir_mul)"
    # e3nn's own harmonics in that order, turned about the edge, y.
    own = iw.SO(3).irreps("0 + 1 + 2")
    rows = [l * l + l + m for l, m in convolution["order"]]
    c, s = np.cos(0.7), np.sin(0.7)
    turned = own.matrix([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])[rows][:, rows]
    rep = iw.conventions.fairchem_features(2, 2, 1)
    torch.testing.assert_close(rep.matrix([[c, -s], [s, c]]), turned, rtol=0, atol=1e-12)
    # A mirror through the edge, x -> -x, keeps +m and flips -m: it is the mirror of O(2) that fixes the first axis.
    both = iw.conventions.fairchem_features(2, 2, 1, mirror=True)
    mirrored = iw.O(3).irreps("0e + 1o + 2e").matrix(torch.diag(array([-1.0, 1.0, 1.0])))[rows][:, rows]
    torch.testing.assert_close(both.matrix([[1.0, 0.0], [0.0, -1.0]]), mirrored, rtol=0, atol=1e-12)


def test_turns_leave_nothing_to_penalise_and_mirrors_do(convolution):
    W = array(convolution["matrix"])
    stored = [array(w) for w in convolution["weights"]]
    P = iw.projector(*features(convolution))
    assert float(P.relative_residual(W)) < 1e-7  # made in float32
    assert P.rank == 6 * 9 + sum(w.numel() for w in stored)
    rest = iw.projector(*features(convolution, mirror=True)).squared_residual(W)
    halves = [w[len(w) // 2 :] for w in stored]
    # Each number of W_i stands twice in the map.
    assert float(rest) == pytest.approx(2 * sum(float((h**2).sum()) for h in halves), rel=1e-6)


def test_the_mirror_on_the_stored_weight(convolution):
    for stored in convolution["weights"]:
        W = array(stored)
        P = iw.projector(*iw.conventions.fairchem_mirror(W.shape))
        half = len(W) // 2
        assert P.rank == W.numel() // 2
        assert torch.equal(P.project(W), torch.cat([W[:half], torch.zeros_like(W[half:])]))
        assert float(P.relative_residual(W)) == pytest.approx(float(W[half:].norm() / W.norm()), abs=1e-12)
        assert 0.3 < float(P.relative_residual(W)) < 0.9


def test_a_mirror_type_trains_towards_parity():
    layer = torch.nn.Linear(6, 8, bias=False)
    binding = iw.bind(torch.nn.Sequential(layer), {"0": iw.conventions.fairchem_mirror(layer.weight.shape)})
    start = layer.weight.detach().clone()
    binding.project_()
    assert torch.equal(layer.weight[:4], start[:4])
    assert not layer.weight[4:].any()


@pytest.mark.parametrize("shape", [(3, 4), (4,), (4, 4, 4), "44", 4, (4, -1)])
def test_stored_weights_have_two_halves(shape):
    with pytest.raises(iw.errors.IntertwineError, match=r"shape(\[\d\])?: expected"):
        iw.conventions.fairchem_mirror(shape)


@pytest.mark.parametrize("sizes", [(2, 3, 4), (-1, 0, 4), (2, 2, 0), (2, 2, 1.5), (True, 0, 1)])
def test_degrees_and_orders_are_checked(sizes):
    with pytest.raises(iw.errors.ArgumentError, match=r"(max_degree|max_order|channels): expected"):
        iw.conventions.fairchem_features(*sizes)


# -- SchNetPack -----------------------------------------------------------------------------------


def test_couplings_of_schnetpack_are_equivariant_in_its_basis_and_typed_as_ours():
    table = array(HARMONICS["SchNetPack"]["more"]["couplings"])
    cut = [slice(l * l, (l + 1) ** 2) for l in range(3)]
    for l1, l2, l3 in ((0, 1, 1), (1, 1, 0), (1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 2, 2), (1, 2, 2)):
        W = table[cut[l1], cut[l2], cut[l3]]
        for basis in ("z-axis", "e3nn"):
            P = iw.projector(axes=[iw.SO(3).irrep(l, basis=basis) for l in (l1, l2, l3)])
            assert P.rank == 1
            assert float(P.relative_residual(W)) < 1e-6
        mixed = iw.projector(axes=[iw.SO(3).irrep(l1), iw.SO(3).irrep(l2), iw.SO(3).irrep(l3, basis="z-axis")])
        assert float(mixed.relative_residual(W)) > 0.3 or l3 == 0


# -- metatensor -----------------------------------------------------------------------------------


@dataclass
class Labels:
    """metatensor's Labels: names and columns of whole numbers."""

    names: list[str]
    values: np.ndarray

    def column(self, name):
        return self.values[:, self.names.index(name)]

    def __len__(self):
        return len(self.values)


@dataclass
class Block:
    """metatensor's TensorBlock."""

    values: np.ndarray
    components: list[Labels]

    @property
    def properties(self):
        return Labels(["n"], np.arange(self.values.shape[-1])[:, None])


@dataclass
class TensorMap:
    """metatensor's TensorMap, of spherical blocks."""

    keys: Labels
    found: list[Block]

    def block(self, row):
        return self.found[row]


def expansions():
    """The recorded expansion, then the turned ones, as stand-ins."""
    more = HARMONICS["featomic, metatensor"]["more"]
    keys = Labels(more["names"], np.array(more["keys"]))
    axes = [[Labels(["o3_mu"], np.array(axis)[:, None]) for axis in block] for block in more["components"]]
    maps = [
        TensorMap(keys, [Block(np.array(v), a) for v, a in zip(values, axes, strict=True)]) for values in more["values"]
    ]
    return maps, array(more["elements"])


def flat(tensor):
    return torch.cat([torch.from_numpy(block.values).flatten(1) for block in tensor.found], dim=1)


def test_blocks_of_featomic_turn_as_typed():
    (start, *turned), elements = expansions()
    rep = iw.as_representation(start)
    assert rep.group == iw.O(3)
    assert str(rep) == " + ".join(
        f"6x{l} (z-axis) (ir_mul)" if l[0] != "0" else f"6x{l}" for l in ("0e", "1o", "2e", "3o")
    )
    for g, expected in zip(elements, turned, strict=True):
        torch.testing.assert_close(rep.act(g, flat(start)), flat(expected), rtol=0, atol=1e-10)
    assert flat(start).abs().max() > 0.1


def test_labels_alone_are_one_irrep_each():
    labels = Labels(["o3_lambda", "o3_sigma"], np.array([[0, 1], [1, 1], [2, 1], [0, -1], [1, -1], [2, -1]]))
    assert iw.as_representation(labels) == iw.O(3).irreps("0e + 1o + 2e + 0o + 1e + 2o", basis="z-axis")
    P = iw.projector(labels, labels)
    assert (P.rank, P.method) == (6, "schur")


def with_values(**changes):
    (start, *_), _ = expansions()
    for name, value in changes.items():
        start.keys.values[1, start.keys.names.index(name)] = value
    return start


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Labels(["center_type"], np.ones((1, 1))), r"rep: expected metatensor keys with o3_lambda and o3_sigma; got"),
        (with_values(o3_sigma=0), r"rep: o3_sigma: expected 1 or -1; got 0"),
        (with_values(o3_lambda=-1), r"rep: o3_lambda: expected an integer >= 0; got -1"),
        (
            with_values(o3_lambda=2),
            r"rep: block 1: expected one component axis o3_mu = -2, ..., 2, as",
        ),
        (TensorMap(with_values().keys, [Block(np.zeros((1, 1)), [])] * 4), r"block 0: expected .*; got none"),
    ],
)
def test_other_keys_and_blocks_are_refused(value, message):
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.as_representation(value)
