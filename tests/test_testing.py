"""The shipped assertions: they pass on what is right, fail on each planted fault, and say what is wrong."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError
from intertwine.representations.frozen_array import FrozenArray
from intertwine.representations.image_field import ImageField
from intertwine.testing import assert_equivariant, assert_group, assert_projector, assert_representation

BOOST = torch.zeros(1, 4, 4)
BOOST[0, 0, 1] = BOOST[0, 1, 0] = 1

GROUPS = [
    iw.Trivial(),
    iw.Cyclic(1),
    iw.Cyclic(5),
    iw.Cyclic(8),
    iw.Dihedral(1),
    iw.Dihedral(6),
    iw.Mirror("z", dim=3),
    iw.Symmetric(4),
    iw.Tetrahedral(reflections=True),
    iw.Octahedral(),
    iw.Icosahedral(),
    iw.SO(2),
    iw.O(2),
    iw.SO(3),
    iw.O(3),
    iw.FiniteGroup([[1, 2, 0, 3], [1, 0, 2, 3]]),
    iw.Cyclic(3) * iw.SO(3),
    iw.Cyclic(2) * iw.Dihedral(3),
    iw.MatrixGroup(lie_algebra=BOOST),
]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_every_group_passes(group):
    assert_group(group)
    assert_representation(group.standard())
    assert_representation(group.defining() + 2 * group.trivial())


@pytest.mark.parametrize(
    "P",
    [
        iw.projector(2 * iw.Cyclic(4).regular(), iw.Cyclic(4).grid(3, 3)),
        iw.projector(iw.SO(3).irreps("2x0 + 1"), iw.SO(3).irreps("1 + 2")),
        iw.projector(iw.Octahedral().regular()),
        iw.projector(axes=(None, iw.Dihedral(3).regular(), iw.Dihedral(3).standard())),
        iw.projector(iw.Tetrahedral().standard(), iw.Tetrahedral().regular()),
        iw.projector(iw.MatrixGroup(lie_algebra=BOOST).defining(), iw.MatrixGroup(lie_algebra=BOOST).defining()),
    ],
    ids=lambda P: f"{P.group}-{P.method}",
)
def test_projectors_pass(P):
    assert_projector(P)


# -- assert_equivariant ---------------------------------------------------------------------------


def test_passing_returns_and_logs_what_was_measured(caplog):
    rep = iw.SO(3).irreps("4x1")
    with caplog.at_level(logging.INFO, logger="intertwine.testing"):
        error = assert_equivariant(lambda x: x * x.norm(dim=-1, keepdim=True), rep, rep)
    assert 0 < float(error) < 1e-5
    assert "relative" in caplog.text
    assert not error.exact


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_inputs_are_drawn_for_the_module(dtype):
    rep = 2 * iw.Cyclic(4).regular()
    seen = []
    layer = nn.Linear(8, 8, dtype=dtype)
    layer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    iw.bind(layer, {"": (rep, rep)}).project_()
    assert_equivariant(layer, rep, rep)
    assert {x.dtype for x in seen} == {dtype}
    assert seen[0].shape == (8, 8)


def test_failure_says_element_size_and_tolerance():
    rep = iw.Cyclic(4).regular()
    with pytest.raises(
        AssertionError,
        match=r"Linear is not equivariant under C4: relative error .* \(turn by \d+ degrees\), tolerance 1e-05; .* 4",
    ):
        assert_equivariant(nn.Linear(4, 4), rep, rep)


@pytest.mark.parametrize("tolerances", [{"rtol": 0.5}, {"atol": 0.5}, {"rtol": 0.5, "atol": 0.5}])
def test_tolerances_are_the_users(tolerances):
    rep = iw.Cyclic(4).regular()

    def f(x):
        return x + 0.01 * torch.arange(4)

    with pytest.raises(AssertionError):
        assert_equivariant(f, rep, rep)
    assert_equivariant(f, rep, rep, **tolerances)


def test_failures_come_back_by_default():
    rep = iw.SO(3).irreps("2x1")
    messages = []
    for _ in range(2):
        torch.rand(1)
        with pytest.raises(AssertionError) as caught:
            assert_equivariant(torch.relu, rep, rep)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_infinite_errors_fail_whatever_the_relative_tolerance_but_inf():
    rep = iw.Cyclic(4).regular()
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    with pytest.raises(AssertionError, match="relative error inf"):
        assert_equivariant(lambda y: y - x, rep, rep, x, rtol=1e9)


def test_inputs_cannot_be_drawn_for_other_axes():
    rep = iw.Cyclic(4).regular()
    with pytest.raises(ArgumentError, match="x: expected inputs"):
        assert_equivariant(torch.relu, rep, rep, axis_in=1)


def test_structures_of_inputs_are_drawn():
    G = iw.SO(3)
    v, s = G.standard(), G.trivial()
    assert_equivariant(lambda a, b: (a * b).sum(-1, keepdim=True), (v, v), s)
    assert_equivariant(lambda a, b: {"c": torch.linalg.cross(a, b)}, {"a": v, "b": v}, {"c": v}, atol=1e-5)
    with pytest.raises(AssertionError, match="output 1"):
        assert_equivariant(lambda a, b: (a, b * torch.arange(3)), (v, v), (v, v))


def test_the_message_names_other_causes():
    rep = iw.Cyclic(4).regular()
    net = nn.Sequential(nn.Dropout(0.5))
    with pytest.raises(AssertionError, match=r"f\(x\) twice differs by .*in train mode is net \(Sequential\)"):
        assert_equivariant(lambda x: net(x), rep, rep)  # noqa: PLW0108 - a module in eval mode is not random


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assert_equivariant(None, iw.Cyclic(4).regular(), iw.Cyclic(4).regular()), "function: expected"),
        (lambda: assert_equivariant(torch.relu, iw.Cyclic(4).regular(), iw.Cyclic(4).regular(), rtol="x"), "rtol: "),
        (lambda: assert_group(3), "group: expected a group; got int"),
        (lambda: assert_representation(3), "rep: expected a Representation; got int"),
        (lambda: assert_projector(3), "P: expected a Projector; got int"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_traceback_is_hidden():
    rep = iw.Cyclic(4).regular()
    with pytest.raises(AssertionError) as caught:
        assert_equivariant(lambda x: x * torch.arange(4), rep, rep)
    ours = [
        entry
        for entry in caught.traceback
        if "equivariance_assertion.py" in str(entry.path) and "test_" not in str(entry.path)
    ]
    assert ours
    assert all(entry.frame.f_locals.get("__tracebackhide__") for entry in ours)


# -- broken objects -------------------------------------------------------------------------------


class Faulty:
    """A group with one statement replaced."""

    def __init__(self, group, **replaced):
        self._group, self._replaced = group, replaced

    def __getattr__(self, name):
        return self._replaced[name] if name in self._replaced else getattr(self._group, name)

    def __str__(self):
        return str(self._group)


C4 = iw.Cyclic(4)
ELEMENTS = C4.element_matrices()
BROKEN_GROUPS = [
    ({"generator_matrices": lambda: 2 * C4.generator_matrices()}, "a generator does not belong"),
    (
        {
            # Off by an entropy of its own, though still in the group within its tolerance.
            "sample_matrices": lambda n, generator: ELEMENTS[:n] + np.random.default_rng().random() * 1e-9
        },
        "samples depend on more",
    ),
    ({"sample_matrices": lambda n, generator: 1.5 * C4.sample_matrices(n, generator)}, "a sample does not belong"),
    ({"element_matrices": lambda: ELEMENTS[:3]}, "3 elements, but order 4"),
    ({"element_matrices": lambda: ELEMENTS[[1, 0, 2, 3]]}, "the first element is not the identity"),
    ({"element_matrices": lambda: ELEMENTS[[0, 1, 1, 3]]}, "not distinct"),
    ({"word_tree": lambda: (np.array([-1, 0, 0, 0]), np.array([-1, 0, 0, 0]))}, "word_tree does not lead to element"),
    ({"irrep_labels": lambda dim: ("0", "1")}, "its irreps fill 3 of the 4"),
]


@pytest.mark.parametrize(("replaced", "message"), BROKEN_GROUPS, ids=[message for _, message in BROKEN_GROUPS])
def test_broken_groups_are_found(replaced, message):
    with pytest.raises(AssertionError, match=message):
        assert_group(Faulty(C4, **replaced))


def test_broken_lie_algebra_is_found():
    SO3 = iw.SO(3)
    with pytest.raises(AssertionError, match="exponential of the Lie algebra does not belong"):
        assert_group(Faulty(SO3, algebra_matrices=lambda: np.abs(SO3.algebra_matrices())))
    with pytest.raises(AssertionError, match="bracket of Lie algebra elements 0 and 1 leaves the algebra"):
        assert_group(Faulty(SO3, algebra_matrices=lambda: SO3.algebra_matrices()[:2]))


def images(group, matrices, lie=None):
    """A representation with unchecked images."""
    matrices = np.asarray(matrices, dtype=float)
    lie = np.zeros((0, *matrices.shape[1:])) if lie is None else lie
    return iw.Representation.of(ImageField(group, FrozenArray.of(matrices), FrozenArray.of(lie)))


def test_broken_representations_are_found():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert_representation(images(C4, [turn]))
    with pytest.raises(
        AssertionError, match=r"rho\(gh\) and rho\(g\) rho\(h\) differ by .* at g: turn by .* h: turn by"
    ):
        assert_representation(images(iw.Cyclic(3), [turn]))
    with pytest.raises(AssertionError, match="the matrix is not orthogonal"):
        assert_representation(images(C4, [np.diag([2.0, 1.0]) @ turn @ np.diag([0.5, 1.0])]))
    with pytest.raises(AssertionError, match="not the identity"):
        assert_representation(_Wrong(C4.regular(), matrix=lambda g: 0 * C4.regular().matrix(g)))
    with pytest.raises(AssertionError, match=r"rho\(1\) is not the identity"):
        assert_representation(_Wrong(C4.regular(), matrix=lambda g: torch.nan * C4.regular().matrix(g)))
    with pytest.raises(AssertionError, match=r"act\(g, x\) is not matrix\(g\) x"):
        assert_representation(_Wrong(C4.regular(), act=lambda g, x: x))
    with pytest.raises(AssertionError, match=r"character\(g\) is not the trace"):
        assert_representation(_Wrong(C4.regular(), character=lambda g: torch.tensor(4.0)))


def test_broken_images_of_generators_are_found():
    field = C4.regular().segments[0].field

    @dataclasses.dataclass(frozen=True)
    class Odd(type(field)):
        def generator_images(self):
            return super().generator_images().transpose(0, 2, 1)

    odd = Odd(**{f.name: getattr(field, f.name) for f in dataclasses.fields(field)})
    with pytest.raises(AssertionError, match="generator_images differ"):
        assert_representation(iw.Representation.of(odd))


class _Wrong(Faulty):
    pass


REP = C4.regular()
P = iw.projector(REP, REP)
MASK = torch.zeros(4, 4, dtype=torch.float64)
MASK[0, 0] = 1
BROKEN_PROJECTORS = [
    ({"project": lambda W: 0.5 * P.project(W)}, "P P W is not P W"),
    (
        {"project": lambda W: W.mean().expand(4, 4) * 0 + W[0, 0] * torch.eye(4, dtype=W.dtype)},
        "<P A, B> is not <A, P B>",
    ),
    ({"residual": lambda W: W}, "residual is not W"),
    ({"squared_residual": lambda W: P.squared_residual(W) / 2}, "squared_residual is not"),
    ({"rank": 5}, "the trace of P is 4.000000, its rank 5"),
    ({"project": lambda W: W * MASK, "residual": lambda W: W - W * MASK, "rank": 1}, r"g \(P W\) is not P W"),
    ({"project": torch.zeros_like, "residual": torch.clone, "rank": 0}, "P W is not the mean of g W"),
]


@pytest.mark.parametrize(("replaced", "message"), BROKEN_PROJECTORS, ids=[message for _, message in BROKEN_PROJECTORS])
def test_broken_projectors_are_found(replaced, message):
    if "project" in replaced:
        project = replaced["project"]
        replaced = {
            "residual": lambda W: W - project(W),
            "squared_residual": lambda W: (W - project(W)).square().sum(),
            **replaced,
        }
    with pytest.raises(AssertionError, match=message):
        assert_projector(Faulty(P, **replaced))


def test_inexact_projectors_are_not_asked_for_the_action():
    faulty = {"project": lambda W: W * MASK, "residual": lambda W: W - W * MASK, "rank": 1, "exact": False}
    assert_projector(Faulty(P, **faulty, squared_residual=lambda W: (W - W * MASK).square().sum()))


def test_a_class_in_place_of_a_group_is_named():
    with pytest.raises(iw.errors.ArgumentError, match="group: expected a group"):
        iw.testing.assert_group(iw.Cyclic)
