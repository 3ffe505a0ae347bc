"""Grouped and depthwise convolutions: what the group may do with the groups of channels."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.layers.channels.grouped import channel_pairs
from tests.binding.acting import ATOL, image_error, projected, randn
from tests.binding.cases import dense, fill

C4, D4, C2 = iw.Cyclic(4), iw.Dihedral(4), iw.Cyclic(2)
R4, R8 = C4.regular(), D4.regular()
E = C4.irrep(1)  # a quarter turn: permutes two channels with a sign
HALVES = C2.irrep(1) + C2.trivial()

CASES: dict[str, tuple[iw.Representation, iw.Representation, int, bool]] = {
    # Equal whole fields in every chunk.
    "equal chunks": (4 * R4, 2 * R4, 2, True),
    "equal chunks of irreps": (2 * C4.irreps("0 + 1 + 2"), 2 * C4.irreps("1 + 0"), 2, True),
    "unlike outputs": (4 * D4.irreps("1"), D4.irreps("0+ + 1") + D4.irreps("1 + 0-"), 2, False),
    "depthwise trivial": (C4.irreps("6x0"), C4.irreps("6x0"), 6, True),
    # Groups onto groups.
    "depthwise regular": (2 * R8, 2 * R8, 16, True),
    "depthwise multiplier": (R4, R4.tensor(2 * C4.trivial()), 4, False),
    "depthwise signed": (2 * E, 2 * E, 4, True),
    "depthwise mixed signs": (E + R4 + C4.irreps("2"), C4.irreps("1") + R4 + C4.trivial(), 7, True),
    "pairs within regular": (R8, R8, 2, True),
    "unlike chunks": (R4 + C4.irreps("4x0"), C4.irreps("4x0") + R4, 2, True),
}


def two_orders(name: str) -> tuple[iw.Representation, iw.Representation, int, bool]:
    rep_in, rep_out, groups, both = CASES[name]
    if name == "depthwise multiplier":  # channel 2c + i of the outputs belongs to input c
        order = [2 * c + i for c in range(4) for i in range(2)]
        assert order == list(range(8))
        table = [[2 * int(c) + i for c in R4.segments[0].field.generator_permutations()[0][0] for i in range(2)]]
        rep_out = C4.permutation(table)
    return rep_in, rep_out, groups, both


@pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_module_law(name: str, transposed: bool) -> None:
    rep_in, rep_out, groups, both = two_orders(name)
    if transposed and not both:
        rep_in, rep_out = rep_out, rep_in  # the condition is the same with the roles exchanged
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(rep_in.dim, rep_out.dim, 3, groups=groups, stride=2, padding=1)
    fill(module.double())
    assert image_error(module, rep_in, rep_out, (5, 5)) > 1e-2
    binding = projected(module, {"": (rep_in, rep_out)})
    assert image_error(module, rep_in, rep_out, (5, 5)) < ATOL
    assert 0 < binding["weight"].projector.rank < module.weight.numel()
    fill(module)
    binding.project_(preserve_norm=True)
    assert image_error(module, rep_in, rep_out, (5, 5)) < ATOL


@pytest.mark.parametrize("name", ["equal chunks", "depthwise signed", "pairs within regular", "unlike chunks"])
def test_grouped_is_the_block_diagonal_of_the_whole(name: str) -> None:
    """P of the stored blocks is P of the whole kernel with zeros between groups: an oracle without any case."""
    rep_in, rep_out, groups, _ = CASES[name]
    module = nn.Conv2d(rep_in.dim, rep_out.dim, 3, groups=groups, bias=False).double()
    stored = iw.bind(module, {"": (rep_in, rep_out)})["weight"].projector
    whole = iw.projector(rep_in, rep_out, kernel=(3, 3))
    W = randn(*stored.shape)
    spread = torch.zeros(*whole.shape, dtype=torch.float64)
    height, width = rep_out.dim // groups, rep_in.dim // groups
    for j in range(groups):
        rows = slice(j * height, (j + 1) * height)
        spread[rows, j * width : (j + 1) * width] = W[rows]
    expected = whole.project(spread)
    for j in range(groups):
        rows, columns = slice(j * height, (j + 1) * height), slice(j * width, (j + 1) * width)
        torch.testing.assert_close(stored.project(W)[rows], expected[rows, columns])
        expected[rows, columns] = 0
    assert float(expected.abs().max()) < ATOL  # nothing leaks between groups
    if stored.numel <= 400:
        torch.testing.assert_close(dense(stored) @ W.flatten(), stored.project(W).flatten())


def test_depthwise_in_one_and_three_dimensions() -> None:
    rep = 2 * C2.regular()
    line = nn.Conv1d(4, 4, 3, groups=4, padding=1)
    projected(line, {"": iw.Typed(rep, rep, space=C2.irrep(1))})
    assert image_error(line, rep, rep, (6,), C2.irrep(1)) < ATOL
    oct_rep = iw.Octahedral().quotient(iw.Cyclic(4), axis="z")
    volume = nn.Conv3d(6, 6, 3, groups=6, padding=1)
    projected(volume, {"": (oct_rep, oct_rep)})
    assert image_error(volume, oct_rep, oct_rep, (3, 3, 3)) < ATOL


def test_infinite_groups_that_flip_signs() -> None:
    """O(2) on its two one-dimensional irreps, space left alone."""
    G = iw.O(2)
    rep = G.irreps("0+ + 0-")
    module = nn.Conv1d(2, 2, 3, groups=2)
    assert iw.bind(module, {"": iw.Typed(rep, rep, space=G.trivial())})["weight"].projector.rank == 6
    with pytest.warns(iw.RankZeroWarning, match="weight: O\\(2\\) leaves no value of it fixed but zero"):
        iw.bind(module, {"": iw.Typed(rep, G.irreps("0- + 0+"), space=G.trivial())})


def test_steerable_kernels_need_equal_chunks() -> None:
    G = iw.SO(2)
    rep = 2 * G.irreps("0 + 1")
    module = nn.Conv2d(6, 6, 3, groups=2)
    binding = projected(module, {"": (rep, rep)})
    assert binding["weight"].projector.shape == (6, 3, 3, 3)
    assert image_error(module, rep.restrict(C4), rep.restrict(C4), (5, 5)) < ATOL


@pytest.mark.parametrize(
    ("rep_in", "rep_out", "groups", "match"),
    [
        (2 * E, 4 * C4.trivial(), 2, None),
        (R4 + C4.irreps("0 + 1 + 2"), 2 * R4, 2, None),
        (iw.SO(2).irreps("1 + 2x0"), iw.SO(2).irreps("1 + 2x0"), 2, "carry different representations, 1 and 2x0, and"),
        (
            iw.SO(2).irreps("1"),
            iw.SO(2).irreps("1"),
            2,
            "a field 1 reaches over the end of a chunk of 1 channels, and 1 does not permute channels, up to signs",
        ),
        (R4, R4, 2, "takes channels of one group into several"),
        (R4, C4.irreps("4x0"), 4, "moves the groups of inputs and of outputs differently"),
        (iw.Cyclic(8).regular(), iw.Cyclic(8).regular(), 8, "C8 does not map the pixels of a 3 x 3 kernel onto pixels"),
    ],
)
def test_refused(rep_in: iw.Representation, rep_out: iw.Representation, groups: int, match: str | None) -> None:
    module = nn.Conv2d(rep_in.dim, rep_out.dim, 3, groups=groups)
    if match is None:
        projected(module, {"": (rep_in, rep_out)})
        assert image_error(module, rep_in, rep_out, (5, 5)) < ATOL
        return
    with pytest.raises(iw.errors.ArgumentError, match=f"representations that fit {groups} groups: .*; got .*{match}"):
        iw.bind(module, {"": (rep_in, rep_out)})


def test_given_bases_need_equal_chunks() -> None:
    module = nn.Conv2d(8, 8, 3, groups=8)
    with pytest.raises(iw.errors.ArgumentError, match="so that no steerable kernel fits a group"):
        iw.bind(module, {"": iw.Typed(R8, R8, kernel_basis=randn(2, 8, 8, 3, 3))})


def test_a_group_without_generators() -> None:
    G = iw.Trivial()
    pairs, reason = channel_pairs(4 * G.trivial(), 4 * G.trivial(), 2)
    assert reason == ""
    assert pairs == 8 * G.trivial()
