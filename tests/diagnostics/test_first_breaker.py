"""``first_breaker``: the order of execution, what it takes, and that it changes nothing."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

G = iw.Cyclic(4)
R = G.regular()


class Scale(nn.Module):
    """Multiplies the features by a ramp if it is broken."""

    def __init__(self, broken: bool) -> None:
        super().__init__()
        self.broken = broken

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.linspace(1, 2, x.shape[-1], dtype=x.dtype) if self.broken else 2 * x


class Backwards(nn.Module):
    """Runs its layers in the reverse of the order in which it registers them."""

    def __init__(self, *broken: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(i): Scale(flag) for i, flag in enumerate(broken)})
        self.last = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in reversed(list(self.layers.values())):
            x = layer(x)
        return self.last(x)


def inputs() -> torch.Tensor:
    return torch.randn(5, 4, generator=seeded(), dtype=torch.float64)


def test_the_first_in_the_order_of_execution() -> None:
    model = Backwards(True, True, False)
    reps = {f"layers.{i}": R for i in range(3)}
    breaker = iw.first_breaker(model, reps, R, inputs())
    assert breaker is not None
    assert (breaker.name, breaker.kind, breaker.after) == ("layers.1", "Scale", "layers.2")
    assert str(breaker).startswith("layers.1 (Scale): relative ")
    assert str(breaker).endswith("all was well behind layers.2")
    only = iw.first_breaker(model, {"layers.0": R}, R, inputs())
    assert only is not None
    assert only.after is None
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_none_where_all_is_well() -> None:
    model = Backwards(False, False)
    assert iw.first_breaker(model, {"layers.0": R, "layers.1": R, "last": R, "": R}, R, inputs()) is None
    # What ReLU(inplace=True) does to the output of layers.0 is not what layers.0 gave.
    assert iw.first_breaker(model, {"layers.0": G.irreps("0 + 1 + 2")}, G.irreps("0 + 1 + 2"), inputs()) is None


def test_the_tolerance_is_the_users() -> None:
    assert iw.first_breaker(Backwards(True), {"layers.0": R}, R, inputs(), rtol=10.0) is None


def test_refusals() -> None:
    model = Backwards(False)
    with pytest.raises(iw.errors.UnknownNameError, match=r"reps: expected names of modules: .*layers\.0.*; got 'nope'"):
        iw.first_breaker(model, {"nope": R}, R, inputs())
    with pytest.raises(iw.errors.UnknownNameError, match="got none"):
        iw.first_breaker(model, {}, R, inputs())
    twice = nn.Sequential(model, model)
    with pytest.raises(
        iw.errors.ArgumentError, match=r"reps\['0'\]: expected a module that the model runs once; got 2"
    ):
        iw.first_breaker(twice, {"0": R}, R, inputs())
    with pytest.raises(iw.errors.DtypeError, match=r"x: expected a dtype .*float8"):
        iw.first_breaker(model, {"layers.0": R}, R, torch.zeros(1, 4).to(torch.float8_e4m3fn))
    with pytest.raises(iw.errors.ArgumentError, match=r"the output of 'layers\.0': .*got torch\.int64"):
        iw.first_breaker(model, {"layers.0": R}, R, torch.zeros(1, 4, dtype=torch.int64))
    with pytest.raises(
        iw.errors.ShapeError, match=r"the output of 'layers\.0': expected length 8 .*from reps\['layers\.0'\]"
    ):
        iw.first_breaker(model, {"layers.0": 2 * R}, R, inputs())
    for wrong in (None, lambda x: x):
        with pytest.raises(iw.errors.ArgumentError, match=r"model: expected a torch\.nn\.Module"):
            iw.first_breaker(wrong, {"layers.0": R}, R, inputs())  # type: ignore[arg-type]
    for tolerance in (float("nan"), "x", -1.0, True):
        with pytest.raises(iw.errors.ArgumentError, match="rtol: expected a number >= 0"):
            iw.first_breaker(model, {"layers.0": R}, R, inputs(), rtol=tolerance)  # type: ignore[arg-type]
    with pytest.raises(iw.errors.ArgumentError, match="reps: expected a dictionary"):
        iw.first_breaker(model, R, R, inputs())  # type: ignore[arg-type]


def test_functions_as_actions_and_other_axes() -> None:
    """Features (atoms, 3, channels), where no representation is on the last axis."""
    rotations = iw.SO(3)
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8)).double()  # the bias is no vector
    x = torch.randn(4, 3, 8, generator=seeded(), dtype=torch.float64)

    def turn(g: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ij,njc->nic", g.to(y), y)

    with pytest.raises(iw.errors.ArgumentError, match="group: expected the group"):
        iw.first_breaker(model, {"0": turn, "1": turn}, turn, x)
    by_function = iw.first_breaker(model, {"0": turn, "1": turn}, turn, x, group=rotations, generator=seeded())
    v = rotations.standard()
    for axis in (1, {"0": 1, "1": 1}):
        found = iw.first_breaker(model, {"0": v, "1": v}, v, x, axis_in=1, axis_out=axis, generator=seeded())
        assert found is not None
        assert by_function is not None
        assert (found.name, found.after) == (by_function.name, by_function.after) == ("1", "0")
        assert float(found.error) == pytest.approx(float(by_function.error), rel=1e-9)
    assert iw.first_breaker(model, {"0": v}, v, x, axis_in=1, axis_out=1) is None


class Pair(nn.Module):
    """Several inputs and outputs, by name, worked on in place behind the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Both()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        found = self.inner(a, b)
        found["sum"].zero_()
        result: torch.Tensor = found["sum"] + found["scaled"][0]
        return result


class Both(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, object]:
        return {"sum": a + b, "scaled": (a * torch.arange(4.0, dtype=a.dtype),)}


def test_several_inputs_and_outputs() -> None:
    model, x = Pair(), {"a": inputs(), "b": 2 * inputs()}
    kept = {name: tensor.clone() for name, tensor in x.items()}
    assert iw.first_breaker(model, {"inner": {"sum": R}}, {"a": R, "b": R}, x) is None
    found = iw.first_breaker(model, {"inner": {"sum": R, "scaled": (R,)}}, {"a": R, "b": R}, x)
    assert found is not None
    assert found.error.worst_output_text == "output 'scaled'[0]"
    assert all(torch.equal(x[name], kept[name]) for name in x)


def test_attention_reads_out_proj_by_a_function() -> None:
    """What the docstring says of torch's attention, and the message of a module that is never called."""
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=8, batch_first=True).eval()
    x = torch.randn(2, 3, 4, generator=seeded())
    with pytest.raises(iw.errors.ArgumentError, match=r"got 0 runs.*read by a function, as attention reads out_proj"):
        iw.first_breaker(layer, {"self_attn.out_proj": R}, R, x)
    found = iw.first_breaker(layer, {"self_attn": (R, None)}, R, x)
    assert found is not None
    assert found.name == "self_attn"


def test_an_input_of_another_width_is_refused_before_the_model_runs():
    rep = 2 * iw.Cyclic(4).regular()
    model = nn.Sequential(nn.Linear(8, 8))
    with pytest.raises(iw.errors.ShapeError, match="x: expected length 8 on axis -1, from rep_in = 2xregular"):
        iw.first_breaker(model, {"0": rep}, rep, torch.randn(3, 5))
