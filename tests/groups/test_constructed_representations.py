"""Regular, quotient, permutation, grid and given representations; restriction along chains."""

import pytest
import torch

import intertwine as iw
from tests.groups.registry import COMPACT, FINITE, SMALL


def assert_representation(rep, n=10):
    """Homomorphism on random elements, on every path: matrix, act, character."""
    generator = torch.Generator().manual_seed(0)
    g, h = rep.group.sample(n, generator=generator), rep.group.sample(n, generator=generator)
    torch.testing.assert_close(rep.matrix(g @ h), rep.matrix(g) @ rep.matrix(h), atol=1e-10, rtol=0)
    x = torch.randn(3, rep.dim, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(rep.act(g[0], x), x @ rep.matrix(g[0]).T, atol=1e-12, rtol=0)
    torch.testing.assert_close(rep.character(g), rep.matrix(g).diagonal(dim1=1, dim2=2).sum(-1), atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", COMPACT)
def test_the_class_of_groups_makes_representations(name):
    group = COMPACT[name]
    assert isinstance(group, iw.Group)
    assert (
        iw.Group.trivial(group) == group.trivial() == iw.Representation.of(group.irrep(group.trivial_label).as_field())
    )
    assert group.trivial().group.trivial() == group.trivial()


@pytest.mark.parametrize("name", SMALL)
def test_regular(name):
    group = SMALL[name]
    rep = group.regular()
    assert rep.dim == group.order
    assert rep.is_permutation
    assert_representation(rep)
    elements = group.elements()
    # The element g moves the basis vector of the identity to its own.
    assert rep.matrix(elements)[:, :, 0].equal(torch.eye(group.order, dtype=torch.float64))
    expected = torch.zeros(group.order, dtype=torch.float64)
    expected[0] = group.order
    assert rep.character(elements).equal(expected)


@pytest.mark.parametrize(
    ("group", "subgroup", "axis", "index"),
    [
        (iw.Cyclic(8), iw.Cyclic(4), None, 2),
        (iw.Cyclic(4), iw.Trivial(), None, 4),
        (iw.Dihedral(6), iw.Dihedral(2), None, 3),
        (iw.Dihedral(4), iw.Cyclic(4), None, 2),
        (iw.Octahedral(), iw.Cyclic(4), "z", 6),
        (iw.Octahedral(), iw.Dihedral(4), "x", 3),
        (iw.Octahedral(), iw.Tetrahedral(), None, 2),
        (iw.Octahedral(), iw.Octahedral(), None, 1),
        (iw.Icosahedral(reflections=True), iw.Icosahedral(), None, 2),
        (iw.Octahedral(reflections=True), iw.Dihedral(4), "z", 6),
    ],
    ids=str,
)
def test_quotient(group, subgroup, axis, index):
    rep = group.quotient(subgroup, axis=axis)
    assert rep.dim == index
    assert rep.is_permutation
    assert_representation(rep)
    # The subgroup's own coset comes first and is what the subgroup fixes.
    fixed = rep.restrict(subgroup, axis=axis) if subgroup != group else rep
    assert (fixed.matrix(subgroup.elements())[:, 0, 0] == 1).all() or subgroup.order == 1


@pytest.mark.parametrize("shape", [(5, 5), (4, 4), (1, 1), (2, 2)])
@pytest.mark.parametrize(
    "group", [iw.Cyclic(1), iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(1), iw.Dihedral(2), iw.Dihedral(4)], ids=str
)
def test_plane_grids_turn_and_flip_as_torch_does(group, shape):
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rep = group.grid(*shape)
    assert_representation(rep)
    quarter, mirror = iw.Cyclic(4).generators[0], iw.Dihedral(1).generators[0]
    for g, expected in (
        (quarter, torch.rot90(image, 1, (-2, -1))),
        (quarter @ quarter, torch.rot90(image, 2, (-2, -1))),
        (mirror, image.flip(-2)),
        (quarter @ mirror, torch.rot90(image.flip(-2), 1, (-2, -1))),
    ):
        if group.membership(g[None].numpy())[0]:
            assert rep.act(g, image.flatten(1)).reshape(image.shape).equal(expected)


def test_rectangles_have_smaller_symmetry():
    image = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (
        iw.Cyclic(2).grid(3, 6).act(iw.Cyclic(2).generators[0], image.flatten()).reshape(3, 6).equal(image.flip(0, 1))
    )
    assert_representation(iw.Dihedral(2).grid(3, 6))
    assert_representation(iw.Trivial().grid(2, 7))


@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 4, 4)])
def test_space_grids_turn_as_torch_does(shape):
    volume = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    group = iw.Octahedral(reflections=True)
    rep = group.grid(*shape)
    assert_representation(rep)
    about_z, diagonal, inversion = group.generators
    assert rep.act(about_z, volume.flatten()).reshape(shape).equal(torch.rot90(volume, 1, (-2, -1)))
    assert rep.act(inversion, volume.flatten()).reshape(shape).equal(volume.flip(0, 1, 2))
    del diagonal


@pytest.mark.parametrize(
    ("group", "shape"), [(iw.Dihedral(4), (5, 5)), (iw.Octahedral(reflections=True), (3, 3, 3))], ids=str
)
def test_grids_move_functions_by_the_inverse(group, shape):
    """(rho(g) f)(x) = f(g^-1 x), for the coordinates themselves: rho(g) x_i = sum_j (g^-1)_ij x_j."""
    axes = [torch.arange(side, dtype=torch.float64) - (side - 1) / 2 for side in shape]
    indices = torch.meshgrid(*axes, indexing="ij")
    x = [indices[-1], -indices[-2], *([indices[0]] if len(shape) == 3 else [])]
    coordinates = torch.stack([c.flatten() for c in x])
    rep = group.grid(*shape)
    for g in group.elements():
        torch.testing.assert_close(rep.act(g, coordinates), g.T @ coordinates, atol=1e-12, rtol=0)


def test_line_grids():
    mirror = iw.FiniteGroup([[[-1.0]]])
    line = torch.arange(6.0)
    assert mirror.grid(6).act(mirror.generators[0], line).equal(line.flip(0))


def test_permutations_with_and_without_signs():
    group = iw.Cyclic(4)
    assert group.permutation([[1, 2, 3, 0, 4]]).is_permutation
    assert group.permutation([[1, 0]]).dim == 2
    signed = group.permutation([[1, 0]], signs=[[1, -1]])
    assert not signed.is_permutation
    assert_representation(signed)
    assert signed.matrix(group.generators[0]).equal(torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double())
    assert_representation(iw.Symmetric(4).permutation([[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2]]))
    assert_representation(iw.O(2).permutation([[1, 0]]))


def test_given_images():
    group = iw.Dihedral(4)
    images = group.standard().tensor(group.irrep("2+")).matrix(group.generators)
    assert_representation(group.representation(images))
    assert_representation(group.representation(list(images)))
    turning = iw.SO(2).representation(lie_images=3 * iw.SO(2).lie_algebra)
    torch.testing.assert_close(
        turning.matrix(iw.SO(2).sample(5, generator=torch.Generator().manual_seed(0))),
        iw.SO(2).irrep(3).matrix(iw.SO(2).sample(5, generator=torch.Generator().manual_seed(0))),
    )
    for rep in (iw.O(3).irreps("1o + 2e"), iw.O(2).irreps("0- + 2")):
        field = rep.as_field()
        given = rep.group.representation(field.generator_images(), field.algebra())
        g = rep.group.sample(6, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(given.matrix(g), rep.matrix(g), atol=1e-10, rtol=0)


def test_complex_images():
    rep = iw.Cyclic(4).representation([[[1j]]])
    assert rep.is_complex
    g = iw.Cyclic(4).elements()
    torch.testing.assert_close(rep.matrix(g).flatten(), torch.tensor([1, 1j, -1, -1j]).to(torch.complex128))


@pytest.mark.parametrize(
    ("rep", "subgroup", "axis"),
    [
        (iw.SO(2).irreps("0 + 1 + 3 + 9"), iw.Cyclic(8), None),
        (iw.Cyclic(8).irreps("0 + 1 + 3 + 4"), iw.Cyclic(4), None),
        (iw.Cyclic(4).regular(), iw.Cyclic(2), None),
        (iw.O(2).irreps("0+ + 0- + 1 + 2"), iw.Dihedral(4), None),
        (iw.O(2).irreps("0- + 1 + 5"), iw.SO(2), None),
        (iw.SO(3).irreps("0 + 1 + 2 + 3"), iw.Octahedral(), None),
        (iw.SO(3).irreps("1 + 2"), iw.SO(2), "y"),
        (iw.SO(3).irreps("1 + 2"), iw.O(2), "z"),
        (iw.SO(3).irrep(2), iw.Dihedral(4), "x"),
        (iw.O(3).irreps("0o + 1o + 1e + 2e"), iw.SO(3), None),
        (iw.O(3).irreps("1o + 2e"), iw.O(2), "z"),
        (iw.O(3).irreps("1o + 2e"), iw.Icosahedral(reflections=True), None),
        (iw.Octahedral().irreps("E + T2"), iw.Tetrahedral(), None),
        (iw.SO(3).irrep(1), iw.Trivial(), None),
    ],
    ids=str,
)
def test_restriction(rep, subgroup, axis):
    smaller = rep.restrict(subgroup, axis=axis)
    assert smaller.group == subgroup
    assert_representation(smaller)
    if axis is None and subgroup.matrix_dim == rep.group.matrix_dim:
        g = subgroup.sample(6, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(smaller.matrix(g), rep.matrix(g), atol=1e-12, rtol=0)


def test_restriction_names_what_it_can():
    assert str(iw.SO(2).irreps("2x0 + 1 + 9").restrict(iw.Cyclic(8))) == "2x0 + 2x1"
    assert str(iw.O(2).irreps("0- + 1").restrict(iw.Dihedral(4))) == "0- + 1"
    assert str(iw.O(3).irreps("0o + 1o + 2e").restrict(iw.SO(3))) == "0 + 1 + 2"
    assert str(iw.SO(3).irrep(1).restrict(iw.Octahedral())) == "T1"
    assert str(iw.Octahedral().irreps("E + T2").restrict(iw.Tetrahedral())) == "E + T"
    chain = iw.SO(2).irrep(1).restrict(iw.Cyclic(8)).restrict(iw.Cyclic(4))
    assert chain == iw.Cyclic(4).irrep(1)
    assert iw.decompose(chain.restrict(iw.Cyclic(2))).multiplicities == {"1": 2}


def test_every_family_has_a_representation_of_each_kind():
    for group, order in FINITE.values():
        assert group.trivial().dim == 1
        assert group.defining().dim == group.matrix_dim
        if order <= 24:
            assert_representation(group.regular() + group.standard() + group.trivial(), n=3)


def test_different_permutations_print_differently():
    """Vectors and pseudovectors under a mirror differ in signs alone."""
    G, O2 = iw.Mirror(), iw.O(2)
    signs = ([1, -1, 1], [-1, 1, -1], [1, 1, 1])
    for group in (G, O2):
        reps = [group.permutation([[0, 1, 2]], signs=[s]) for s in signs]
        assert len({str(rep) for rep in reps}) == len(set(reps)) == 3
    assert str(G.permutation([[1, 0, 2]])) == "permutation[1 0 2]"
    assert str(2 * G.permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]])) == "2xpermutation[-3 4 5 -0 1 2]"
    assert str(G.representation([[[0, -1], [-1, 0]]])) == "images[-1 -0]"
    assert str(iw.Dihedral(3).permutation([[1, 2, 0], [0, 2, 1]])) == "permutation[1 2 0; 0 2 1]"
    long = [G.permutation([list(range(40))], signs=[[1] * k + [-1] * (40 - k)]) for k in (3, 4)]
    assert str(long[0]) != str(long[1])
    assert all(len(str(rep)) < 30 for rep in long)
