"""What an error says beside the number: noise, modules in train mode, an identity test, the samples that carry it."""

# ruff: noqa: PLW0108 - functions that close over a module are what is tested

import functools

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import IdentityActionWarning
from intertwine.tracing.models.inner_modules import inner_modules, training_modules
from tests.binding.cases import seeded

REP = 4 * iw.Cyclic(4).regular()


def network() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.2))
    iw.bind(net, {"0": (REP, REP)}).project_()
    return net


def inputs(batch: int = 200) -> torch.Tensor:
    return torch.randn(batch, 16, generator=seeded())


def test_noise_is_told_from_a_broken_symmetry() -> None:
    net, x = network(), inputs()
    module = iw.equivariance_error(net, REP, REP, x)
    assert float(module) < 1e-6
    assert module.repeat == 0
    assert module.notes == ()
    closure = iw.equivariance_error(lambda y: net(y), REP, REP, x)
    twice = float((net(x) - net(x)).norm().detach() / net(x).norm().detach())
    assert closure.repeat == pytest.approx(twice, rel=0.2)
    assert closure.repeat > 0.5 * float(closure)
    assert "the noise of a random function and says nothing of the symmetry: in train mode is net (Sequential)" in str(
        closure
    )
    ramp = torch.linspace(1, 2, 16)
    broken = iw.equivariance_error(lambda y: ramp * y, REP, REP, x)
    assert broken.repeat == 0
    assert "twice" not in str(broken)
    faint = iw.equivariance_error(lambda y: ramp * y + 1e-3 * torch.randn(y.shape), REP, REP, x)
    assert 1e-4 < faint.repeat < 1e-2
    assert "noise" not in str(faint)
    assert f"f(x) twice differs by {faint.repeat:.2e}" in str(faint)


class Wrapper:
    def __init__(self, net: nn.Module) -> None:
        self.model = net

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.model(x)
        return result


def test_modules_inside_functions() -> None:
    net = network()

    def helper(x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = net(x)
        return result

    wrapper = Wrapper(net)
    held = {
        "net": lambda x: net(x),
        "model": wrapper.predict,
        "": net.forward,
        "module": functools.partial(lambda x, module: module(x), module=net),
    }
    for name, function in held.items():
        assert inner_modules(function) == {name: net}
        assert training_modules(function) == (f"{name or 'the module'} (Sequential)",)
    assert inner_modules(lambda x: helper(x)) == {"net": net}
    assert inner_modules(net) == {"": net}
    assert inner_modules(torch.relu) == {}
    assert training_modules(net) == ()  # it is put in eval mode
    net.eval()
    assert training_modules(held["net"]) == ()
    plain = nn.Sequential(nn.Linear(2, 2))
    assert training_modules(lambda x: plain(x)) == ()  # the same in both modes


def test_batch_norm_in_a_closure_is_named() -> None:
    norm = nn.BatchNorm1d(16, affine=False)
    error = iw.equivariance_error(lambda x: norm(x), REP, REP, inputs())
    assert "in train mode is norm (BatchNorm1d)" in str(error)


# -- nothing tested -------------------------------------------------------------------------------


def test_an_identity_test_says_so() -> None:
    shifts = iw.torus(16, 16)
    G = shifts.group
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="circular"), nn.ReLU())
    x = torch.randn(1, 3, 16, 16, generator=seeded())
    image, out = (iw.on_grid(c * G.trivial(), space=2 * G.trivial()) for c in (3, 8))
    with pytest.warns(IdentityActionWarning, match=r"every element of C16 \* C16 acts as the identity.*iw\.torus"):
        error = iw.equivariance_error(net, image, out, x)
    assert not error.tested
    assert "nothing was tested: every element acts as the identity on these inputs and outputs" in str(error)
    assert error.to_dict()["tested"] is False
    with pytest.warns(IdentityActionWarning):
        iw.testing.assert_equivariant(net, image, out, x)


def test_one_moving_part_is_a_test() -> None:
    G = iw.Cyclic(4)
    x = torch.ones(3, 4)  # fixed by every element
    with pytest.warns(IdentityActionWarning):
        iw.equivariance_error(lambda y: y[:, :1], G.regular(), G.trivial(), x)
    # A function of a fixed input must be fixed: that is a test.
    error = iw.equivariance_error(lambda y: y * torch.arange(4.0), G.regular(), G.regular(), x)
    assert error.tested
    assert float(error) > 0.5
    single = iw.Trivial()
    alone = iw.equivariance_error(
        torch.relu, 4 * single.trivial(), 4 * single.trivial(), x
    )  # its one element: no warning
    assert not alone.tested


# -- samples --------------------------------------------------------------------------------------


def direction(r: torch.Tensor) -> torch.Tensor:
    n = r.norm(dim=-1, keepdim=True)
    return torch.where(n > 0, r / n.clamp_min(1e-12), torch.tensor([0.0, 1.0, 0.0]))


def test_the_share_of_each_sample() -> None:
    v = iw.SO(3).standard()
    x = torch.randn(100, 3, generator=seeded())
    x[17] = 0
    error = iw.equivariance_error(direction, v, v, x, generator=seeded())
    assert error.by_sample is not None
    assert error.by_sample.shape == (100,)
    assert float(error.by_sample.sum()) == pytest.approx(1)
    assert float(error.by_sample[17]) > 0.99
    assert "sample 17 (100%) carries it" in str(error)
    # From the definition, at the worst element.
    g = error.worst_element
    difference = direction((x.double() @ g.T).float()).double() - direction(x).double() @ g.T
    shares = difference.square().sum(-1) / difference.square().sum()
    torch.testing.assert_close(error.by_sample, shares)
    x[40] = x[60] = 0
    three = str(iw.equivariance_error(direction, v, v, x, generator=seeded()))
    assert "3 of 100 samples carry it, first of all" in three
    even = iw.equivariance_error(lambda y: y * torch.arange(3.0), v, v, x)
    assert "carr" not in str(even)


def test_shares_of_several_outputs_and_axes() -> None:
    v = iw.SO(3).standard()
    x = torch.randn(20, 3, generator=seeded())
    weights = torch.zeros(20, 1)
    weights[4] = 1
    ramp = torch.arange(3.0)
    error = iw.equivariance_error(lambda y: (y, y + weights * y * ramp), v, (v, v), x, generator=seeded())
    assert (error.worst_output, int(error.by_sample.argmax())) == (1, 4)  # type: ignore[union-attr]
    # The representation is on the first axis: there are no samples.
    alone = iw.equivariance_error(lambda y: y * ramp[:, None], v, v, x.T, axis_in=0, axis_out=0)
    assert alone.by_sample is None
    assert float(iw.equivariance_error(lambda y: y.sum(), v, None, x)) > 0
    exact = iw.equivariance_error(torch.nn.Identity(), v, v, x)
    assert exact.by_sample is not None


def test_sizes_far_from_one() -> None:
    rep = REP
    ramp = torch.linspace(1, 2, 16, dtype=torch.float64)
    x = inputs(10).double()
    expected = float(iw.equivariance_error(lambda y: y * ramp, rep, rep, x))
    for scale in (1e-300, 1e-200, 1e-38, 1e38, 1e200, 1e300):
        error = iw.equivariance_error(lambda y: y * ramp, rep, rep, x * scale)
        assert float(error) == pytest.approx(expected, rel=1e-9)
        assert float(error.by_sample.sum()) == pytest.approx(1)  # type: ignore[union-attr]
    for scale in (1e-36, 1e37):
        single = iw.equivariance_error(lambda y: y * ramp.float(), rep, rep, (x * scale).float())
        assert float(single) == pytest.approx(expected, rel=1e-5)


def test_turns_that_need_no_interpolation_have_no_note_of_it():
    """C4 turns pixels onto pixels; what its turns there and back leave is rounding."""
    on = iw.on_grid(iw.Cyclic(4).trivial(), interpolation="bilinear")
    ramp = torch.linspace(0, 1, 81).reshape(9, 9)
    x = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    error = iw.equivariance_error(lambda x: x * ramp, on, on, x)
    assert float(error) > 0.1
    assert not any("turning there and back" in note for note in error.notes)
    on = iw.on_grid(iw.Cyclic(8).trivial(), interpolation="bilinear")
    error = iw.equivariance_error(lambda x: x * ramp, on, on, x)
    assert any("turning there and back" in note for note in error.notes)
