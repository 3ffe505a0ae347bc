"""Functions without a rule: what is found behind them by values, what is not, and what was not seen at all."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from intertwine.tracing.functions import RULES
from intertwine.tracing.functions.pointwise import permuted
from intertwine.tracing.unknown.signed_permutations import AlikeError, signed_permutation
from tests.tracing import networks

D4, O3 = iw.Dihedral(4), iw.O(3)
R = D4.regular()
IMAGES = iw.on_grid(3 * D4.trivial())


def opaque(function):
    """A custom operator, of which nothing is seen but its name."""
    return torch.library.custom_op(f"intertwine_tests::{function.__name__}", mutates_args=())(function)


@opaque
def unshuffled(x: torch.Tensor) -> torch.Tensor:
    return F.pixel_unshuffle(x, 2).clone()


@opaque
def wave_sizes(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.fft2(x).abs()


@opaque
def differences(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x.roll(-1, 3) - x.roll(1, 3), x.roll(-1, 2) - x.roll(1, 2)], 1)


@opaque
def added_up(x: torch.Tensor) -> torch.Tensor:
    return x.cumsum(1)


@opaque
def halved(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 2)


@opaque
def product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.linalg.cross(x, y, dim=-1)


@opaque
def bessel(x: torch.Tensor) -> torch.Tensor:
    return torch.special.bessel_j0(x)


@opaque
def patches(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x.flip(1), torch.zeros_like(x)], 1)


class Convolved(nn.Module):
    """A function between two convolutions."""

    def __init__(self, function, width=8):
        super().__init__()
        self.function = function
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(width, 8, 1)

    def forward(self, x):
        return self.b(self.function(self.a(x)))


class Between(nn.Module):
    """A function between two linear layers."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return self.b(self.function(self.a(x)))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def convolved(function, width, side, rep_out=None):
    model, x = Convolved(function, width).eval(), torch.randn(2, 3, side, side)
    rep_out = iw.on_grid(R) if rep_out is None else rep_out
    binding = iw.bind(model, rep_in=IMAGES, rep_out=rep_out, example=x)
    left = [(type(one).__name__, one.function) for one in binding.breakers]
    binding.project_()
    return binding, left, float(iw.equivariance_error(model, IMAGES, rep_out, x, num_samples=8))


def how(binding):
    (text,) = binding.inference.found
    return text.partition("): ")[2]


def test_pixels_that_become_channels_are_a_permutation_by_values():
    binding, breakers, error = convolved(unshuffled, 32, 8)
    assert breakers == []
    assert binding.inference.unknown == {}
    assert how(binding) == "as a signed permutation of 32 entries, by values"
    assert binding["b.weight"].projector.rank == 8 * 32 // 8
    assert error < 1e-5
    with_rule = iw.bind(
        Convolved(lambda x: F.pixel_unshuffle(x, 2), 32),
        rep_in=IMAGES,
        rep_out=iw.on_grid(R),
        example=torch.randn(2, 3, 8, 8),
    )
    assert with_rule["b.weight"].projector.rank == binding["b.weight"].projector.rank


def test_finite_differences_carry_signs():
    binding, breakers, error = convolved(differences, 16, 9)
    assert breakers == []
    assert how(binding) == "as a signed permutation of 16 entries, by values"
    # Eight copies of the two differences: a sign that a mirror leaves behind has no path, but 16 * 8 pairs are free.
    assert binding["b.weight"].projector.rank == 16
    assert error < 1e-5


def test_sizes_of_waves_are_moved_as_waves_are():
    class Spectrum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 8)

        def forward(self, x):
            return self.b(wave_sizes(self.a(x)).mean((2, 3)))

    x = torch.randn(2, 3, 8, 8)
    binding = iw.bind(Spectrum(), rep_in=IMAGES, rep_out=R, example=x)
    assert binding.breakers == ()
    assert how(binding) == "by lengths"
    (call,) = [call for call in binding.types if call.rule == "found"]
    assert str(call.outputs[0]) == "(2, [regular], ky:8(0..-1), kx:8(0..-1))"


def test_pixels_of_another_number_are_found_by_their_lengths():
    binding, breakers, error = convolved(halved, 8, 8)
    assert breakers == []
    assert binding.inference.unknown == {}
    assert how(binding) == "as what goes in and comes out says"
    (call,) = [call for call in binding.types if call.rule == "found"]
    assert str(call.outputs[0]) == "(2, [regular], y:4, x:4)"
    assert error < 1e-5


def test_behind_sums_in_order_nothing_is_found_and_that_is_said():
    binding, breakers, error = convolved(added_up, 8, 9)
    assert binding.inference.unknown == {"added_up.default": 1}
    assert breakers == [("BrokenCall", "added_up.default")]
    assert "no action of D4 was found behind its values" in binding.breakers[0].reason
    (note,) = [note for note in binding.notes if note.startswith("unknown: ")]
    assert "test_unknown_functions.py" in note
    # Its features keep the type that hidden ones have: they are not made invariant because nothing is known.
    assert str(binding["b.weight"].projector.axes[1]) == "regular"
    assert error > 1e-3
    with pytest.raises(iw.errors.ArgumentError, match=r"unknown functions added_up\.default"):
        iw.bind(binding.model, rep_in=IMAGES, rep_out=iw.on_grid(R), example=torch.randn(2, 3, 9, 9), strict=True)


def test_a_product_of_vectors_is_found_among_irreps_of_its_dimension():
    class Products(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3, bias=False)

        def forward(self, x):
            return self.a(product(*x.unbind(1)))

    x = torch.randn(4, 2, 3)
    binding = iw.bind(Products(), rep_in=O3.irreps("1o"), rep_out=O3.irreps("1e"), example=x)
    assert how(binding) == "as 1e, of the dimension that is there"
    assert [str(rep) for rep in binding["a.weight"].projector.axes] == ["1e", "1e"]
    assert binding.breakers == ()


def test_an_unknown_type_does_not_go_through_a_function_that_commutes_with_rotations_only():
    """Were it one type on both sides, the output's would be the vectors' before the product: all of them zero."""

    class Products(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(6, 6, bias=False)

        def forward(self, x):
            return product(*self.a(x).reshape(-1, 2, 3).unbind(1))

    binding = iw.bind(Products(), rep_in=O3.irreps("2x1o"), rep_out=O3.irreps("1e"), example=torch.randn(5, 6))
    assert [str(rep) for rep in binding["a.weight"].projector.axes] == ["2x1o", "2x1o"]
    assert binding["a.weight"].projector.rank == 4
    assert (binding.inference.unknown, binding.breakers, binding.notes) == ({}, (), ())


def test_a_function_of_each_entry_forces_vectors_to_invariants_and_says_so():
    rep, x = O3.irreps("2x1o + 2x0e"), torch.randn(4, 8)
    binding = iw.bind(Between(bessel), rep_in=rep, rep_out=rep, example=x)
    assert how(binding) == "as a function of each entry by itself"
    assert str(binding["a.weight"].projector.axes[0]) == "16x0e"
    assert any("16 features forced to trivial by bessel.default" in note for note in binding.notes)
    assert any("no path from 2x1o" in note for note in binding.notes)
    permuted = iw.bind(Between(bessel), rep_in=R, rep_out=R, example=x, strict=True)
    assert str(permuted["a.weight"].projector.axes[0]) == "2xregular"


def test_entries_that_are_alike_are_ambiguous():
    binding, breakers, _ = convolved(patches, 24, 9)
    assert binding.inference.unknown == {"patches.default": 1}
    assert breakers == [("BrokenCall", "patches.default")]
    assert "along axis 1 is ambiguous: 16 of 24 entries have the same values" in binding.notes[0]
    rows = torch.randn(4, 7)
    with pytest.raises(AlikeError, match="2 of 4 entries"):
        signed_permutation(rows[[0, 0, 1, 2]], rows[[0, 0, 1, 2]])
    with pytest.raises(AlikeError, match="have the same values"):
        signed_permutation(
            rows * torch.tensor([[1.0], [1.0], [1.0], [0.0]]), rows * torch.tensor([[1.0]] * 3 + [[0.0]])
        )
    images, signs = signed_permutation(torch.stack([-rows[2], rows[0], rows[3], rows[1]]), rows)
    assert images.tolist() == [1, 3, 0, 2]
    assert signs.tolist() == [1, 1, -1, 1]


def test_entries_in_the_order_of_their_sizes_are_moved_by_no_action():
    """What a function gives of moved entries is no permutation of what it gives of them."""

    class Ordered(nn.Module):
        def forward(self, x):
            return ordered(x)

    binding = iw.bind(Ordered(), rep_in=R, rep_out=R, example=torch.randn(4, 8))
    assert binding.inference.unknown == {"ordered.default": 1}
    assert [one.function for one in binding.breakers] == ["ordered.default"]


@opaque
def ordered(x: torch.Tensor) -> torch.Tensor:
    return x.sort(-1).values * x


class Doubled(torch.autograd.Function):
    """A function with a gradient of its own, seen from inside."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x.relu()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def by_numpy(x):
    return torch.from_numpy(np.tanh(x.detach().numpy()))


def by_python(x):
    return torch.tensor(np.tanh(x.detach().numpy()).tolist())


@pytest.mark.parametrize(
    "function",
    [
        by_numpy,
        by_python,
        torch.vmap(lambda v: v.relu() * v.sum()),
        torch.func.grad(lambda v: (v**3).sum()),
    ],
    ids=["numpy", "python", "vmap", "grad"],
)
def test_what_is_not_seen_is_said_to_be(function):
    binding = iw.bind(Between(function), rep_in=R, rep_out=R, example=torch.randn(4, 8))
    assert binding.inference.unknown == {"what was not seen": 1}
    assert any(note.startswith("unseen: b: linear") for note in binding.notes)
    with pytest.raises(iw.errors.ArgumentError, match="what was not seen"):
        iw.bind(binding.model, rep_in=R, rep_out=R, example=torch.randn(4, 8), strict=True)


def test_constants_that_no_call_makes_are_no_dependence():
    table = torch.ones(16)
    binding = iw.bind(Between(lambda x: x * table), rep_in=R, rep_out=R, example=torch.randn(4, 8), strict=True)
    assert binding.notes == ()


def test_functions_with_gradients_of_their_own_and_branches_are_typed():
    for function in (Doubled.apply, lambda x: torch.cond(x.sum() > 0, torch.relu, torch.tanh, (x,))):
        binding = iw.bind(Between(function), rep_in=R, rep_out=R, example=torch.randn(4, 8), strict=True)
        assert str(binding["a.weight"].projector.axes[0]) == "2xregular"


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested")
def test_nested_tensors_inside_are_refused_by_name():
    padded = lambda x: torch.nested.to_padded_tensor(torch.nested.nested_tensor([x[0], x[1]]), 0.0)  # noqa: E731
    with pytest.raises(iw.errors.ArgumentError, match="dense tensors between its layers"):
        iw.bind(Between(padded), rep_in=R, rep_out=R, example=torch.randn(2, 8))


def test_models_that_cannot_be_copied_are_checked_and_left_as_they_were():
    model = Convolved(unshuffled, 32).eval()  # holds an operator, which has no copy
    before = model.a.weight.detach().clone()
    binding = iw.bind(model, rep_in=IMAGES, rep_out=iw.on_grid(R), example=torch.randn(2, 3, 8, 8))
    assert binding.inference.checked
    assert torch.equal(model.a.weight, before)


def types(binding):
    return {entry.name: (tuple(map(str, entry.projector.axes)), entry.projector.rank) for entry in binding}


@pytest.mark.parametrize(
    ("make", "side", "dropped"),
    [
        (networks.VisionTransformer, 16, ["getitem", "matmul", "permute", "reshape", "softmax", "transpose", "unbind"]),
        (networks.ResNet, 33, ["adaptive_avg_pool2d", "add", "flatten", "max_pool2d", "relu"]),
    ],
)
def test_without_one_rule_types_and_ranks_are_the_same_and_nothing_behind_breaks(make, side, dropped, monkeypatch):
    """What the rule said is found again. Of functions that take parameters the type stays open, and is said to."""
    model, x = make().eval(), torch.randn(2, 3, side, side)
    wanted = types(iw.bind(model, rep_in=IMAGES, rep_out=None, example=x))
    for name in dropped:
        with monkeypatch.context() as patch:
            patch.delitem(RULES, name)
            binding = iw.bind(model, rep_in=IMAGES, rep_out=None, example=x)
        assert types(binding) == wanted, name
        assert binding.breakers == (), name
        assert binding.inference.unknown == {}, name
        assert any(name in text for text in binding.inference.found)


@pytest.mark.parametrize(("name", "module"), [("linear", "fc"), ("conv2d", "stem.0")])
def test_without_the_rule_of_a_layer_its_own_calls_are_unknown_and_nothing_else_breaks(name, module, monkeypatch):
    model, x = networks.ResNet().eval(), torch.randn(2, 3, 33, 33)
    monkeypatch.delitem(RULES, name)
    binding = iw.bind(model, rep_in=IMAGES, rep_out=None, example=x)
    assert list(binding.inference.unknown) == [name]
    assert {one.function for one in binding.breakers} <= {name}
    assert f"{module}.weight" in binding.unaccounted
    assert f"no rule for {name}" in binding.inference.reasons[f"{module}.weight"]
    assert not any("forced to trivial" in note for note in binding.notes)


def test_an_operator_has_a_rule_under_each_of_its_names_and_a_rule_without_a_call_is_named():
    x = torch.randn(4, 8)
    for key in (bessel, torch.ops.intertwine_tests.bessel, torch.ops.intertwine_tests.bessel.default):
        binding = iw.bind(Between(bessel), rep_in=R, rep_out=R, example=x, rules={key: permuted}, strict=True)
        assert (binding.inference.found, binding.notes) == ((), ())
    binding = iw.bind(Between(torch.relu), rep_in=R, rep_out=R, example=x, rules={bessel: permuted})
    assert any("was not used: the run did not call it" in note for note in binding.notes)


@pytest.mark.parametrize("error", [RuntimeError("no such size"), ZeroDivisionError("by zero"), KeyError("dim")])
def test_a_rule_of_the_users_that_fails_is_named_and_no_fault_of_the_example(error: Exception) -> None:
    def failing(*args: object) -> object:
        raise error

    with pytest.raises(iw.errors.ArgumentError, match=rf"^rules\[relu\]: .*{type(error).__name__}"):
        iw.bind(Between(torch.relu), rep_in=R, rep_out=R, example=torch.randn(5, 8), rules={torch.relu: failing})


def test_a_rule_of_ours_that_fails_leaves_its_function_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: object) -> object:
        raise RuntimeError("no such size")

    monkeypatch.setitem(RULES, "relu", failing)
    binding = iw.bind(Between(torch.relu), rep_in=R, rep_out=R, example=torch.randn(5, 8))
    assert binding.breakers == ()
    assert len(binding.inference.found) == 1
    assert "relu" in binding.inference.found[0]
