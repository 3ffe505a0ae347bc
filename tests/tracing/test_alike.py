"""Calls that are alike speak for each other, and only these: what one shows must hold for the rest."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw

D4 = iw.Dihedral(4)
R = D4.regular()
X = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """A residual block; what it does to the sum is an argument."""

    def __init__(self, last=F.relu):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(16, 32), nn.Linear(32, 16), last

    def forward(self, x):
        return self.last(x + self.b(self.a(x).relu()))


def bound(model, **options):
    return iw.bind(model, rep_in=2 * R, rep_out=2 * R, example=X, **options)


def test_of_equal_blocks_the_first_and_the_eighth_are_repeated():
    inference = bound(nn.Sequential(*(Block() for _ in range(12)))).inference
    judged = [call.place.module for call in inference.calls if call.place.index not in inference.alike]
    assert judged == [f"{block}{part}" for block in (0, 7) for part in (".a", "", ".b", "", "")]
    assert all(inference.alike[i] < i for i in inference.alike)
    first = {call.place.index: call.place for call in inference.calls}
    assert all(first[i].function == first[j].function for i, j in inference.alike.items())


@pytest.mark.parametrize("broken", [1, 4, 10])
def test_one_block_that_is_another_is_found_among_equal_ones(broken):
    ramp = torch.linspace(1, 2, 16)
    blocks = [Block((lambda h: F.relu(h) * ramp) if i == broken else F.relu) for i in range(12)]
    (one,) = bound(nn.Sequential(*blocks)).breakers
    assert (one.module, one.function) == (str(broken), "mul")


def test_constants_of_equal_shapes_are_told_apart_by_their_values():
    """The first multiplies by ones, which every group keeps: it says nothing of the others."""
    factors = [torch.ones(16), torch.ones(16), torch.linspace(1, 2, 16), torch.ones(16)]
    blocks = [Block(lambda h, by=by: F.relu(h) * by) for by in factors]
    assert [one.module for one in bound(nn.Sequential(*blocks)).breakers] == ["2"]


def test_a_wrong_rule_breaks_in_every_block():
    wrong = {torch.Tensor.roll: lambda ctx, out, x, *args: ctx.axes(x)}
    binding = bound(nn.Sequential(*(Block(lambda h: h.roll(3, -1)) for _ in range(10))), rules=wrong)
    assert [one.module for one in binding.breakers] == [str(i) for i in range(10)]
    assert binding.inference.alike.keys().isdisjoint(one.index for one in binding.breakers)


class FromScalars(nn.Module):
    """Vectors that are zero in the first block, as message passing begins with: nothing said of silu there counts."""

    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(1, 1) for _ in range(3))

    def forward(self, x):
        vectors = torch.zeros_like(x)
        for _ in self.maps:
            vectors = x + F.silu(vectors)
        return vectors


def test_a_call_on_zeros_speaks_for_no_other():
    V = iw.O(3).irreps("1o")
    x = torch.randn(5, 3)
    found = iw.bind(FromScalars(), rep_in=V, rep_out=V, example=x).breakers
    assert [one.function for one in found] == ["silu", "silu"]


def test_a_call_that_breaks_after_one_that_does_not_has_all_repeated():
    """A function whose values decide: what its first call says is no longer taken on trust."""
    with torch.no_grad():
        blocks = [Block(lambda x: odd(x) + 0) for _ in range(9)]
        blocks[7].b.weight *= 1e5
    inference = bound(nn.Sequential(*blocks), rules={odd: lambda ctx, out, x: ctx.axes(x)}).inference
    assert not inference.alike
    assert [one.module for one in inference.breakers] == ["7", "8"]


def odd(x):
    """Rolls what is large; a function with a rule is one call."""
    return x.roll(1, -1) if x.abs().amax() > 1e3 else x
