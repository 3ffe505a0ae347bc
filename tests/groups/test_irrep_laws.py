"""Laws of every irrep: homomorphism, orthogonality, Schur, completeness, derivatives, names."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

import intertwine as iw
from intertwine.representations.intertwiners import homomorphisms
from intertwine.representations.irrep_field import IrrepField
from tests.groups.registry import COMPACT, FINITE, LIE, QUATERNION


def labels_of(group, max_dim=6):
    return group.irrep_labels(max_dim)[:24]


def pairs_of_elements(group, n=12):
    generator = torch.Generator().manual_seed(1)
    return group.sample(n, generator=generator).numpy(), group.sample(n, generator=generator).numpy()


def assert_homomorphism(matrices, left, right):
    np.testing.assert_allclose(matrices(left @ right), matrices(left) @ matrices(right), atol=1e-12)
    identity = np.eye(left.shape[-1])[None]
    np.testing.assert_allclose(matrices(identity)[0], np.eye(matrices(identity).shape[-1]), atol=1e-14)


@pytest.mark.parametrize("name", COMPACT)
def test_irreps_are_orthogonal_homomorphisms(name):
    group = COMPACT[name]
    left, right = pairs_of_elements(group)
    for label in labels_of(group):
        matrices = group.irrep_matrices(label, left)
        assert matrices.shape == (len(left), group.irrep_dim(label), group.irrep_dim(label))
        assert_homomorphism(lambda g, label=label: group.irrep_matrices(label, g), left, right)
        defect = np.swapaxes(matrices, 1, 2) @ matrices - np.eye(group.irrep_dim(label))
        assert np.abs(defect).max() < 1e-12, label


def test_the_homomorphism_law_fails_on_an_antihomomorphism():
    group = iw.Symmetric(4)
    left, right = pairs_of_elements(group)
    with pytest.raises(AssertionError):
        assert_homomorphism(lambda g: np.swapaxes(group.irrep_matrices("[3,1]", g), 1, 2), left, right)


@pytest.mark.parametrize("name", FINITE)
def test_characters_are_orthogonal_and_squares_add_up(name):
    group, order = FINITE[name]
    labels = group.irrep_labels(order)
    assert labels[0] == group.trivial_label
    elements = group.element_matrices()
    characters = np.stack([np.trace(group.irrep_matrices(label, elements), axis1=1, axis2=2) for label in labels])
    types = np.array([group.commutant_dim(label) for label in labels])
    np.testing.assert_allclose(characters @ characters.T / order, np.diag(types), atol=1e-9)
    assert sum(group.irrep_dim(label) ** 2 / c for label, c in zip(labels, types, strict=True)) == order


@pytest.mark.parametrize("name", COMPACT)
def test_commutants_have_the_stated_dimension(name):
    group = COMPACT[name]
    for label in labels_of(group, 5):
        field = IrrepField(group, label)
        if field.dim > 1:
            assert len(homomorphisms(field, field)) == group.commutant_dim(label), label


@pytest.mark.parametrize("name", LIE)
def test_algebra_images_are_derivatives(name):
    group = LIE[name]
    step = 1e-5
    algebra = group.algebra_matrices()
    for label in labels_of(group):
        images = group.irrep_algebra(label)
        assert images.shape == (len(algebra), group.irrep_dim(label), group.irrep_dim(label))
        forward, backward = (group.irrep_matrices(label, expm(sign * step * algebra)) for sign in (1, -1))
        # Central differences err by step^2 times a third derivative, at most l^3 / 6, and by rounding / step.
        np.testing.assert_allclose((forward - backward) / (2 * step), images, atol=1e-8)


@pytest.mark.parametrize("name", LIE)
def test_coordinates_reproduce_elements_and_irreps(name):
    group = LIE[name]
    elements = group.sample(20, generator=torch.Generator().manual_seed(2)).numpy()
    numbers, words = group.coordinates(elements)
    for label in [None, *labels_of(group, 5)]:
        algebra = group.algebra_matrices() if label is None else group.irrep_algebra(label)
        generators = group.generator_matrices()
        images = generators if label is None else group.irrep_matrices(label, generators)
        expected = elements if label is None else group.irrep_matrices(label, elements)
        for g, number, word in zip(expected, numbers, words, strict=True):
            product = expm(np.einsum("k,kij->ij", number, algebra))
            for letter in word:
                product = product @ images[letter]
            np.testing.assert_allclose(product, g, atol=1e-10)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -2, 3)])
@pytest.mark.parametrize("angle", [np.pi, np.pi - 1e-9, 1e-9, 0.0])
def test_coordinates_of_space_turns_are_stable_at_pi(axis, angle):
    vector = angle * np.array(axis) / np.linalg.norm(axis)
    algebra = iw.SO(3).algebra_matrices()
    g = expm(np.einsum("k,kij->ij", vector, algebra))[None]
    for group, element in ((iw.SO(3), g), (iw.O(3), -g)):
        numbers, words = group.coordinates(element)
        sign = (-1) ** len(words[0])
        np.testing.assert_allclose(sign * expm(np.einsum("nk,kij->nij", numbers, algebra)), element, atol=1e-12)


@pytest.mark.parametrize("name", COMPACT)
def test_names_round_trip(name):
    group = COMPACT[name]
    for label in labels_of(group):
        assert group.irrep_label(label) == label
    everything = sum((n * group.irrep(label) for n, label in enumerate(labels_of(group), 1)), 0 * group.trivial())
    assert group.irreps(str(everything)) == everything
    assert group.irreps(str(everything).replace(" ", "")) == everything
    assert group.irreps("") == group.irreps("0-dimensional") == 0 * group.trivial()


def test_numbers_and_spellings_are_names():
    assert iw.SO(3).irrep(2) == iw.SO(3).irrep("2") == iw.SO(3).irreps(" 2 ")
    assert iw.Symmetric(4).irrep((3, 1)) == iw.Symmetric(4).irrep("[3, 1]") == iw.Symmetric(4).irreps("1x[3,1]")
    assert iw.O(2).irreps("2x0++1 + 0-") == iw.O(2).irreps("2x0+ + 1x1 + 1x0-")
    assert iw.O(3).irreps("8x0e+4x1o").dim == 20


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (iw.SO(2), "1"),
        (iw.O(2), "1"),
        (iw.SO(3), "1"),
        (iw.O(3), "1o"),
        (iw.Cyclic(1), "2x0"),
        (iw.Cyclic(2), "2x1"),
        (iw.Cyclic(3), "1"),
        (iw.Dihedral(1), "0+ + 0-"),
        (iw.Dihedral(2), "1+ + 1-"),
        (iw.Dihedral(5), "1"),
        (iw.Tetrahedral(), "T"),
        (iw.Tetrahedral(reflections=True), "Tu"),
        (iw.Octahedral(), "T1"),
        (iw.Octahedral(reflections=True), "T1u"),
        (iw.Icosahedral(), "T1"),
        (iw.Icosahedral(reflections=True), "T1u"),
    ],
    ids=str,
)
def test_standard_is_a_named_irrep_with_the_defining_matrices(group, name):
    assert str(group.standard()) == name
    g = group.sample(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(group.standard().matrix(g), g, atol=1e-14, rtol=0)


def test_standard_of_permutations():
    assert str(iw.Symmetric(5).standard()) == "[4,1]"
    assert iw.Symmetric(1).standard().dim == 0
    by_permutations = iw.FiniteGroup([[1, 2, 0, 3], [1, 0, 3, 2]])
    assert by_permutations.standard().dim == 4
    assert by_permutations.standard().is_permutation


def test_types_of_the_quaternion_group():
    assert [(QUATERNION.irrep_dim(str(i)), QUATERNION.commutant_dim(str(i))) for i in range(5)] == [(1, 1)] * 4 + [
        (4, 4)
    ]


def test_frequencies_of_the_parts_of_a_product():
    group = iw.SO(2) * iw.SO(2)
    turns = iw.SO(2).sample(1, generator=torch.Generator().manual_seed(0))[0]
    g = torch.block_diag(turns, torch.eye(2).double())
    h = torch.block_diag(torch.eye(2).double(), turns)
    angle = torch.atan2(turns[1, 0], turns[0, 0])
    seen = {tuple(round(float(group.irrep(f"2*1:{part}").character(x)), 9) for x in (g @ h,)) for part in (0, 1)}
    assert seen == {(round(float(2 * torch.cos(f * angle)), 9),) for f in (1, 3)}


def test_young_matrices_of_the_sign_and_of_exchanges():
    group = iw.Symmetric(4)
    signs = torch.linalg.det(group.elements()).round().reshape(-1, 1, 1)
    assert group.irrep("[1,1,1,1]").matrix(group.elements()).equal(signs)
    # Young's rule for the exchange (1 2): diagonal, with +1 and -1.
    matrix = group.irrep("[2,1,1]").matrix(group.generators[0])
    assert matrix.abs().equal(torch.eye(3).double())


def test_long_and_ambiguous_sums():
    assert iw.SO(3).irreps("+".join(["1"] * 5000)) == iw.SO(3).irreps("5000x1")
    group = iw.O(2) * iw.O(2)
    rep = group.irreps("2x0+*0+ + 0-*1 + 3x1*0+")
    assert group.irreps(str(rep).replace(" ", "")) == rep
    assert rep.dim == 2 + 2 + 6
