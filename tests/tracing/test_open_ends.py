"""What inference cannot know by itself: unknown functions, lost parameters, conflicts, and what users say of them."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from intertwine.errors import ArgumentError
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.functions.pointwise import permuted
from intertwine.tracing.policy import default_policy

D4, O3 = iw.Dihedral(4), iw.O(3)
R = D4.regular()


class Function(nn.Module):
    """A function between two linear layers."""

    def __init__(self, function, width=16):
        super().__init__()
        self.function = function
        self.a, self.b = nn.Linear(8, width), nn.Linear(width, 8)

    def forward(self, x):
        return self.b(self.function(self.a(x)))


def bound(model, example=None, rep=R, **options):
    torch.manual_seed(0)
    x = torch.randn(3, 8) if example is None else example
    return iw.bind(model.eval(), rep_in=rep, rep_out=rep, example=x, **options)


def test_a_function_of_each_entry_without_a_rule_is_found_and_said_to_be():
    binding = bound(Function(torch.special.bessel_j0), strict=True)
    assert binding.inference.unknown == {}
    assert "as a function of each entry by itself" in binding.inference.found[0]
    assert binding.breakers == ()
    assert str(binding["a.weight"].projector.axes[0]) == "2xregular"


def test_a_rule_of_the_users_own_makes_a_function_known():
    binding = bound(Function(torch.special.bessel_j0), rules={torch.special.bessel_j0: permuted}, strict=True)
    assert not binding.inference.unknown
    with pytest.raises(iw.errors.ArgumentError, match=r"rules.*expected a function"):
        bound(Function(torch.relu), rules={torch.relu: 3})


def test_a_wrong_rule_is_found_by_the_check():
    """The rule says that a channel shuffle keeps every type."""

    def shuffled(x):
        return x.roll(1, -1)

    wrong = {torch.Tensor.roll: lambda ctx, out, x, *args: ctx.axes(x)}
    (breaker,) = bound(Function(shuffled), rules=wrong).breakers
    assert breaker.function == "roll"
    assert breaker.error > 0.1


def test_an_unknown_function_that_breaks_is_named_with_its_line():
    binding = bound(Function(lambda x: torch.cummax(x.flip(-1), -1).values))
    found = {breaker.function for breaker in binding.breakers}
    forced = [note for note in binding.notes if "forced to trivial" in note]
    assert found or forced
    assert any("test_open_ends.py" in str(text) for text in (*binding.breakers, *forced))


def test_features_that_a_function_makes_anew_are_hidden_ones_until_values_say_more():
    """It makes 24 numbers of 16, the last of them zero, which every type fits: they are not made invariant."""
    binding = bound(Function(lambda x: F.pad(x, (0, 8)), width=16).apply(_wider), rules={F.pad: _no_rule})
    assert not any("forced to trivial" in note for note in binding.notes)
    assert str(binding["b.weight"].projector.axes[1]) == "3xregular"
    assert binding.breakers == ()


def _wider(module):
    if isinstance(module, nn.Linear) and module.in_features == 16:
        module.in_features, module.weight = 24, nn.Parameter(torch.randn(8, 24))


def _no_rule(ctx, out, *args, **kwargs):
    raise ConflictError("no idea")


def test_weights_that_take_no_projection_are_checked_all_the_same():
    """An orthogonal parametrisation cannot make the projection; the check needs its value alone."""
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(16, 16))
    binding = bound(nn.Sequential(nn.Linear(8, 16), layer, nn.Linear(16, 8)))
    assert binding.inference.checked
    assert binding.breakers == ()
    assert binding["1.weight"].projector.rank == 16 * 16 // 8
    with pytest.raises(ArgumentError, match=r"1\.weight"):
        binding.project_()


def test_a_parameter_that_an_unknown_function_swallows_is_unaccounted_with_the_reason():
    class Orthogonal(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.Parameter(torch.randn(8, 8))

        def forward(self, x):
            return x @ torch.linalg.qr(self.generator)[0]

    binding = bound(Orthogonal())
    assert list(binding.unaccounted) == ["generator"]
    assert "no rule for linalg_qr" in binding.inference.reasons["generator"]
    assert [breaker.function for breaker in binding.breakers] == ["matmul"]
    with pytest.raises(iw.errors.ArgumentError, match="untyped parameters generator"):
        bound(Orthogonal(), strict=True)


def test_overrides_are_constraints_and_the_rest_follows():
    hidden = D4.irreps("2x0+") + R + 6 * D4.trivial()
    binding = bound(Function(torch.relu), overrides={"a": (R, hidden)})
    assert binding["a.weight"].projector.axes[0] == hidden
    assert binding["b.weight"].projector.axes[1] == hidden
    assert binding.breakers == ()


def test_a_policy_of_another_width_is_refused_by_name():
    with pytest.raises(iw.errors.ArgumentError, match="hidden: expected a representation of D4 of dimension 16"):
        bound(Function(torch.relu), hidden=lambda width: R)
    half = bound(Function(torch.relu), hidden=lambda width: R + (width - 8) * D4.trivial())
    assert str(half["a.weight"].projector.axes[0]) == "regular + 8x0+"


def test_conflicting_types_are_reported_with_both_places():
    class Conflicting(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(8, 3, bias=False)

        def forward(self, x):
            return self.a(x), x[..., :3] + self.a(x)

    rep = O3.irreps("1o + 5x0e")
    x = torch.randn(3, 8)
    binding = iw.bind(Conflicting(), rep_in=rep, rep_out=(O3.irreps("3x0e"), O3.irreps("1o")), example=x)
    assert any("rep_out says 3x0e: 3 meets [1o]" in note or "[1o] meets 3" in note for note in binding.notes)


def test_both_ends_and_the_example_are_needed_and_types_stand_alone():
    model, x = Function(torch.relu), torch.randn(3, 8)
    with pytest.raises(iw.errors.ArgumentError, match="rep_out: expected a value"):
        iw.bind(model, rep_in=R, example=x)
    with pytest.raises(iw.errors.ArgumentError, match="example: expected a value"):
        iw.bind(model, rep_in=R, rep_out=R)
    with pytest.raises(iw.errors.ArgumentError, match="types: expected None where types are inferred"):
        iw.bind(model, {"a": (R, 2 * R)}, rep_in=R, rep_out=R, example=x)
    with pytest.raises(iw.errors.ArgumentError, match="hidden: expected nothing with types by hand"):
        iw.bind(model, {"a": (R, 2 * R)}, hidden=default_policy(D4))
    with pytest.raises(iw.errors.ArgumentError, match="a group that maps pixels onto pixels"):
        iw.bind(model, rep_in=iw.on_grid(3 * iw.Cyclic(8).trivial()), rep_out=None, example=torch.randn(1, 3, 9, 9))
    with pytest.raises(iw.errors.ShapeError, match="rep_in"):
        iw.bind(model, rep_in=2 * R, rep_out=R, example=x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.trace(nn.Linear(8, 8), x)
    with pytest.raises(iw.errors.ArgumentError, match="scripted ones"):
        iw.bind(scripted, rep_in=R, rep_out=R, example=x)


def test_a_run_leaves_model_and_example_as_they_were():
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, 8))
    model.train()
    before, x = copy.deepcopy(model.state_dict()), torch.randn(5, 8)
    given = x.clone()
    iw.bind(model, rep_in=R, rep_out=R, example=x)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(x, given)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_parametrised_tied_and_compiled_weights_are_typed():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.utils.parametrizations.weight_norm(nn.Linear(8, 16))
            self.b = nn.Linear(16, 16)
            self.c = nn.Linear(16, 16)
            self.c.weight = self.b.weight
            self.d = torch.compile(nn.Linear(16, 8))

        def forward(self, x):
            return self.d(F.gelu(self.c(F.gelu(self.b(F.gelu(self.a(x)))))))

    binding = bound(Tied())
    names = [entry.name for entry in binding]
    assert "a.weight" in names
    assert names.count("b.weight") == 1
    assert "c.weight" not in names
    assert binding.breakers == ()
    assert all(entry.projector.rank * 8 == entry.projector.numel for entry in binding)
    binding.project_()
    assert float(iw.equivariance_error(binding.model, R, R, torch.randn(4, 8))) < 1e-6


def test_windows_are_digits_and_relative_positions_get_the_orbits_of_their_offsets():
    class Windows(nn.Module):
        def __init__(self, side=3, width=16, heads=2):
            super().__init__()
            self.side, self.heads = side, heads
            self.stem, self.qkv = nn.Conv2d(3, width, 1), nn.Linear(width, 3 * width)
            self.table = nn.Parameter(torch.randn((2 * side - 1) ** 2, heads))
            places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
            offsets = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + side - 1
            self.register_buffer("index", offsets[..., 0] * (2 * side - 1) + offsets[..., 1])

        def forward(self, x):
            x = self.stem(x).permute(0, 2, 3, 1)
            batch, rows, columns, width = x.shape
            w = self.side
            x = x.view(batch, rows // w, w, columns // w, w, width).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, width)
            q, k, v = self.qkv(x).reshape(len(x), w * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            bias = self.table[self.index.view(-1)].view(w * w, w * w, -1).permute(2, 0, 1).unsqueeze(0)
            x = ((q @ k.transpose(-2, -1) + bias).softmax(-1) @ v).transpose(1, 2).reshape(-1, w, w, width)
            x = x.view(batch, rows // w, columns // w, w, w, width).permute(0, 1, 3, 2, 4, 5)
            return x.reshape(batch, rows, columns, width).permute(0, 3, 1, 2)

    x, rep_in, rep_out = torch.randn(2, 3, 9, 9), iw.on_grid(3 * D4.trivial()), iw.on_grid(2 * R)
    binding = iw.bind(Windows(), rep_in=rep_in, rep_out=rep_out, example=x)
    assert binding.breakers == ()
    # Offsets of 5 x 5 fall into 6 orbits under turns and mirrors; heads are left alone.
    assert binding["table"].projector.rank == 6 * 2
    binding.project_()
    assert float(iw.equivariance_error(binding.model, rep_in, rep_out, x)) < 1e-6


def test_a_cross_product_is_an_axial_vector():
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(6, 6, bias=False)

        def forward(self, x):
            one, two = self.a(x).reshape(-1, 2, 3).unbind(1)
            return torch.linalg.cross(one, two)

    x, rep_in = torch.randn(3, 6), O3.irreps("2x1o")
    binding = iw.bind(Cross(), rep_in=rep_in, rep_out=O3.irreps("1e"), example=x)
    assert binding["a.weight"].projector.rank == 4
    assert binding.breakers == ()
    wrong = iw.bind(Cross(), rep_in=rep_in, rep_out=O3.irreps("1o"), example=x)
    assert any("rep_out says 1o" in note for note in wrong.notes)


def test_a_check_says_what_is_and_what_could_be():
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1))
    x, rep = torch.randn(2, 3, 9, 9), iw.on_grid(3 * D4.trivial())
    found = iw.check(net, rep_in=rep, rep_out=iw.on_grid(R), example=x)
    assert found.share_typed == 1.0
    assert float(found.error) > 0.1
    assert float(found.projected_error) < 1e-6
    assert "Sequential under D4" in str(found)
    assert "4 tensors typed" in str(found)


def test_examples_that_cannot_be_moved_are_refused():
    for example, said in (
        (torch.ones(2, 4).to_sparse(), "dense tensors"),
        (torch.ones(0, 4), "at least one sample"),
        (torch.ones(2, 3), "what the model takes"),
        ("images", "what the model takes"),
    ):
        with pytest.raises(iw.errors.ArgumentError, match=said):
            iw.bind(nn.Linear(4, 8), rep_in=iw.Cyclic(4).regular(), rep_out=2 * iw.Cyclic(4).regular(), example=example)


def test_instance_norms_scale_whole_fields():
    """One number a field for scale and shift, of two fields: rank 2 of 16."""
    D4 = iw.Dihedral(4)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.InstanceNorm2d(16, affine=True), nn.ReLU())
    images, features = iw.on_grid(3 * D4.trivial()), iw.on_grid(2 * D4.regular())
    binding = iw.bind(net, rep_in=images, rep_out=features, example=torch.randn(2, 3, 9, 9))
    assert binding.breakers == ()
    ranks = {entry.name: entry.projector.rank for entry in binding.entries}
    assert ranks == {"0.weight": 54, "0.bias": 2, "1.weight": 2, "1.bias": 2}


def test_an_output_that_is_a_product_of_features_is_typed_as_one() -> None:
    """Vectors times functions of their lengths, as many as there are channels: the channels are left alone."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(4, 6, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            vectors = self.mix(x.transpose(1, 2)).transpose(1, 2)
            return vectors * torch.tanh(torch.linalg.vector_norm(vectors, dim=-1, keepdim=True))

    vector = iw.O(3).irreps("1o")
    binding = iw.bind(Net(), rep_in=vector, rep_out=vector, example=torch.randn(5, 4, 3), strict=True)
    assert (binding.breakers, binding.notes, binding.free) == ((), (), ("mix.weight",))
