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
    with pytest.raises(iw.errors.DtypeError, match="x: expected a floating-point"):
        iw.first_breaker(model, {"layers.0": R}, R, torch.zeros(1, 4, dtype=torch.int64))
