"""The mirror group: the flip of one axis, wherever a group meets space."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, GroupMismatchError, UnknownNameError
from tests.binding.cases import fill, seeded

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
# The axes of torch that x, y and z are: (x, y) = (column, -row), (x, y, z) = (last, -middle, first).
MIRRORS = {(axis, dim): -1 - "xyz".index(axis) for dim in (1, 2, 3) for axis in "xyz"[:dim]}


def randn(*shape):
    return torch.randn(*shape, generator=seeded(), dtype=torch.float64)


@pytest.mark.parametrize(("axis", "dim"), MIRRORS, ids=str)
def test_it_is_the_flip_of_that_axis_on_images(axis, dim):
    G, flipped = iw.Mirror(axis, dim=dim), MIRRORS[axis, dim]
    sides = (3, 4, 6)[:dim]
    image = randn(2, 3, *sides)
    act, mirror = iw.on_grid(3 * G.trivial()), G.generators[0]
    torch.testing.assert_close(act(mirror, image), image.flip(flipped), rtol=0, atol=0)
    pixels = G.grid(*sides).act(mirror, image.flatten(2)).reshape(image.shape)
    torch.testing.assert_close(pixels, image.flip(flipped), rtol=0, atol=0)


@pytest.mark.parametrize(("axis", "dim"), MIRRORS, ids=str)
def test_a_convolution_typed_without_space_is_mirror_equivariant(axis, dim):
    """What ``Cyclic(2)`` without ``space=`` is not: its standard representation is the half turn."""
    G, flipped = iw.Mirror(axis, dim=dim), MIRRORS[axis, dim]
    conv = fill(CONVOLUTIONS[dim](1, 8, 3, padding=1).double())
    iw.bind(conv, {"": (G.trivial(), 4 * G.regular())}).project_()
    x = randn(2, 1, *(9, 8, 7)[:dim])
    with torch.no_grad():
        y = conv(x.flip(flipped)).unflatten(1, (4, 2)).flip(2).flatten(1, 2)
        torch.testing.assert_close(y, conv(x).flip(flipped), rtol=0, atol=1e-12)
    error = iw.equivariance_error(conv, iw.on_grid(G.trivial()), iw.on_grid(4 * G.regular()), x)
    assert float(error) < 1e-14


def test_geometry_asks_for_the_mirrored_axis_alone():
    x = torch.zeros(1, 1, 8, 9)
    pool = nn.MaxPool2d(3, stride=2)
    assert [len(iw.geometry(pool, x, group=iw.Mirror(axis)).breaking) for axis in "xy"] == [0, 1]


@pytest.mark.parametrize(
    ("group", "axis", "dim"),
    [(iw.O(2), "x", 2), (iw.O(3), "z", 3), (iw.Dihedral(1), "y", 2), (iw.Dihedral(2), "x", 2), (iw.Dihedral(4), "x", 2),
     (iw.Octahedral(reflections=True), "y", 3), (iw.Tetrahedral(reflections=True), "y", 3)],
    ids=str,
)  # fmt: skip
def test_it_is_a_subgroup_wherever_its_flip_is(group, axis, dim):
    G = iw.Mirror(axis, dim=dim)
    rep = group.standard().restrict(G)
    torch.testing.assert_close(rep.matrix(G.generators[0]), G.generators[0], rtol=0, atol=1e-12)
    assert iw.decompose(rep).multiplicities == {"even": dim - 1, "odd": 1}
    if group.is_finite:
        assert group.quotient(G).dim == group.order // 2


def test_a_plane_mirror_in_three_dimensions_names_the_axis():
    rep = iw.O(3).standard().restrict(iw.Mirror("x"), axis="z")
    torch.testing.assert_close(
        rep.matrix(iw.Mirror("x").generators[0]), torch.diag(torch.tensor([-1.0, 1, 1])).double()
    )


def test_it_is_no_subgroup_of_turns():
    with pytest.raises(GroupMismatchError, match="determinant"):
        iw.SO(3).standard().restrict(iw.Mirror("x", dim=3))
    with pytest.raises(GroupMismatchError, match=r"turns by no|determinant"):
        iw.Cyclic(4).standard().restrict(iw.Mirror("x"))


def test_irreps_have_plain_names_and_mullikens():
    G = iw.Mirror()
    assert str(G.irreps("2xeven + 3xodd")) == "2xeven + 3xodd"
    assert G.irreps("2xA' + A''") == G.irreps("2xeven + odd")
    assert G.irrep("odd").matrix(G.generators[0]).item() == -1
    assert str(iw.decompose(G.regular()).rep_irreps) == "even + odd"


def test_products_take_it_as_a_factor():
    G = iw.Mirror("x") * iw.Symmetric(3)
    assert str(G) == "Mirror(x) * S3"
    rep = G.outer(iw.Mirror("x").irrep("odd"), iw.Symmetric(3).defining())
    assert iw.projector(rep, rep).rank == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("z",), ArgumentError, r"axis: expected one of the axes x, y of 2 dimensions; got 'z'. Say dim=3."),
        ((0,), ArgumentError, r"axis: expected 'x', 'y' or 'z'"),
        (("xy",), ArgumentError, r"axis: expected 'x', 'y' or 'z'"),
        (("x", 4), ArgumentError, r"dim: expected 1, 2 or 3"),
        (("x", 2.0), ArgumentError, r"dim: expected an integer >= 1; got 2.0"),
    ],
)
def test_wrong_axes_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        iw.Mirror(*arguments)
    with pytest.raises(UnknownNameError, match="'even' or 'odd'"):
        iw.Mirror().irrep(1)


def test_the_binding_says_how_space_moves():
    """A half turn where a mirror was meant is seen in the print."""
    conv, time = nn.Conv2d(1, 8, 3, padding=1), nn.Conv1d(2, 2, 5)
    for G, text in ((iw.Cyclic(2), "turn by 180 degrees"), (iw.Mirror("x"), "mirror x -> -x")):
        binding = iw.bind(conv, {"": (G.trivial(), 4 * G.regular())})
        assert str(binding).splitlines()[-1] == f"  space: {text}"
        both = nn.ModuleDict({"image": conv, "time": time, "point": nn.Conv2d(2, 2, 1)})
        types = {"image": (G.trivial(), 4 * G.regular()), "point": (G.regular(), G.regular())}
        types["time"] = iw.Typed(G.regular(), G.regular(), space=G.trivial())
        lines = str(iw.bind(both, types)).splitlines()
        assert lines[-2:] == [f"  space of image.weight: {text}", "  space of time.weight: stays as it is"]
    assert "space" not in str(iw.bind(nn.Linear(2, 2), {"": (G.regular(), G.regular())}))
