"""The check of calls: what is found, what is one cause, where runs part, and what a wrong type costs."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.tracing.acting import Acting, can_act
from intertwine.tracing.axes import Axis, Digit, Fixed, Squared, single
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.check import BrokenCall, grouped
from intertwine.tracing.normal_form import carried

D4, SO3 = iw.Dihedral(4), iw.SO(3)
R = D4.regular()


class Rolled(nn.Module):
    """Pixels shifted, masked and shifted back, twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.blocks = nn.ModuleList(Shift() for _ in range(2))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x


class Shift(nn.Module):
    """One shift, with a mask that sees where the edge has gone."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", (torch.arange(9) < 7).float().outer((torch.arange(9) < 7).float()))

    def forward(self, x):
        return (x.roll((2, 2), (-2, -1)) * self.mask).roll((-2, -2), (-2, -1))


def test_a_shift_its_mask_and_the_shift_back_are_one_cause():
    x, rep_in, rep_out = torch.randn(2, 3, 9, 9), iw.on_grid(3 * D4.trivial()), iw.on_grid(R)
    binding = iw.bind(Rolled(), rep_in=rep_in, rep_out=rep_out, example=x)
    assert [(one.module, one.function) for one in binding.breakers] == [("blocks.0", "roll"), ("blocks.1", "roll")]
    assert [text.split(" ")[0] for text in binding.breakers[0].also] == ["mul", "roll"]
    assert "mask" not in {entry.name for entry in binding}
    assert not binding.unaccounted


def test_calls_of_other_modules_are_causes_of_their_own():
    broken = [
        BrokenCall("a", "roll", "", 1.0, ""),
        BrokenCall("b", "conv2d", "", 1.0, ""),
        BrokenCall("a.inner", "mul", "", 1.0, ""),
    ]
    found = grouped(broken)
    assert [one.function for one in found] == ["roll", "conv2d"]
    assert len(found[0].also) == 1


def test_errors_do_not_add_up_and_every_breaker_is_found_by_itself():
    """Between two breakers everything is right, though its inputs come from a network that is broken already."""
    ramp = torch.linspace(1, 2, 8)

    class Ramp(nn.Module):
        def forward(self, x):
            return x + ramp

    model = nn.Sequential(nn.Linear(8, 8), Ramp(), nn.Linear(8, 8), nn.ReLU(), Ramp(), nn.Linear(8, 8))
    binding = iw.bind(model, rep_in=R, rep_out=R, example=torch.randn(5, 8))
    assert [one.module for one in binding.breakers] == ["1", "4"]
    assert "not one that the group leaves as it is" in binding.breakers[0].reason


def test_where_two_runs_part_the_check_stops_and_says_so():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.count = nn.Linear(8, 8), 0

        def forward(self, x):
            self.count += 1
            return self.a(x).relu() if self.count < 3 else self.a(x).tanh()

    binding = iw.bind(Counting(), rep_in=R, rep_out=R, example=torch.randn(5, 8))
    (note,) = [note for note in binding.notes if "two runs part" in note]
    assert "tanh" in note
    assert "relu" in note
    assert "the way that projected weights take was checked" in note
    assert any(call.place.function == "relu" for call in binding.types)


def test_writes_into_arguments_are_judged_on_copies():
    class Writing(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(8, 16)

        def forward(self, x):
            y = torch.zeros(len(x), 16)
            y[:, :8] = x
            y += self.a(x)
            return y.relu_()

    x = torch.randn(5, 8)
    binding = iw.bind(Writing(), rep_in=R, rep_out=2 * R, example=x)
    assert binding.breakers == ()
    assert [call.place.function for call in binding.types] == ["zeros", "setitem", "linear", "add_", "relu_"]
    binding.project_()
    assert float(iw.equivariance_error(binding.model, R, 2 * R, x)) < 1e-6


def test_tensors_are_moved_by_their_types():
    acting, g = Acting(D4, D4.standard()), D4.generators[0]
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    axes = [Axis(((Fixed(2),),)), carried(R), single(Digit(0, 5)), single(Digit(1, 5))]
    assert torch.allclose(acting(g, x, axes), iw.on_grid(R)(g, x))
    # Flattened, and with a token before the pixels.
    tokens = torch.cat([x[:, :, 0, :1], x.flatten(2)], 2)
    flat = [axes[0], axes[1], Axis(((Fixed(1),), (Digit(0, 5), Digit(1, 5))))]
    moved = acting(g, tokens, flat)
    assert torch.allclose(moved[:, :, 1:], iw.on_grid(R)(g, x).flatten(2))
    assert torch.allclose(moved[:, :, 0], R.act(g, tokens[:, :, 0]))
    with pytest.raises(CannotActError):
        acting(g, x[:, :, :, 0], axes[:3])


def test_products_of_vectors_have_no_action_but_their_sums_do():
    squares = [single(Squared(carried(SO3.irreps("1"))))]
    assert not can_act(squares)

    class Dot(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(1, 4), nn.Linear(4, 1)

        def forward(self, x):
            return self.b(self.a((x * x).sum(-1, keepdim=True)).relu())

    x, rep = torch.randn(5, 3), SO3.irreps("1")
    binding = iw.bind(Dot(), rep_in=rep, rep_out=None, example=x)
    assert binding.breakers == ()
    assert str(binding.types[0].outputs[0]) == "(5, ([1])^2)"
    wrong = iw.bind(nn.Sequential(Square()), rep_in=rep, rep_out=rep, example=x)
    assert any("rep_out says" in note for note in wrong.notes)
    assert "rep_out says" in wrong.inference.output_conflict
    with pytest.raises(iw.IntertwineError, match="rep_out says"):
        iw.bind(nn.Sequential(Square()), rep_in=rep, rep_out=rep, example=x, strict=True)


class Square(nn.Module):
    """Products where vectors were asked for."""

    def forward(self, x):
        return x * x
