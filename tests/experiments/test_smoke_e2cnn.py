"""e2cnn's network of the smoke plumes: its conventions are ours, and it is exactly equivariant."""

import sys

import pytest
import torch
from torch import nn

import intertwine as iw
from experiments.smoke.e2cnn import E2cnnStep
from experiments.smoke.methods import applies
from experiments.smoke.model import network_error, smoke_subject
from experiments.smoke.roll_out import RollOut
from experiments.smoke.turns import turn_fields, turn_history
from intertwine.errors import MissingExtraError

C4 = iw.Cyclic(4)
SIZES = {"history": 2, "width": 8, "side": 8, "steps": 2, "depth": 2}


@pytest.fixture
def library():
    return pytest.importorskip("e2cnn")


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def subject(network="e2cnn", seed=0, **options):
    return smoke_subject("rotation", network, seed, **(SIZES | options))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("layer", "turn"), [(0, turn_history), (2, turn_fields)])
def test_e2cnn_turns_frames_and_regular_fields_as_we_do(layer, turn):
    from e2cnn.nn import GeometricTensor

    kind = subject().model.step.layers[layer].in_type
    x = draws(3, kind.size, 8, 8)
    turned = x
    for quarters in range(1, 4):
        turned = turn(C4.generators[0], turned)
        torch.testing.assert_close(GeometricTensor(x, kind).transform(quarters).tensor, turned)


@pytest.mark.usefixtures("library")
def test_the_network_is_equivariant_whatever_its_weights():
    model, x = subject().model, draws(4, 4, 8, 8)
    for weight in model.parameters():
        weight.data.add_(draws(*weight.shape, seed=1), alpha=0.5)
    with torch.no_grad():
        training = model(x)
        assert network_error(model, "rotation", x) < 2e-6
        # It caches its kernels for evaluation: the weights of now.
        torch.testing.assert_close(model.eval()(x), training)
        assert network_error(model, "rotation", x) < 2e-6
        assert float((model(x) - x[:, None, -2:]).square().mean()) > 0.01


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("axes", [(1, 0), (0, -1)])
def test_other_conventions_of_the_vectors_would_show(axes):
    """Components swapped, or the second one pointing down: the error is of order one."""
    step, x = subject().model.step, draws(4, 4, 8, 8)

    def convert(frames):
        vectors = frames.unflatten(1, (-1, 2))
        vectors = vectors.flip(2) if axes == (1, 0) else vectors * torch.tensor([1.0, -1.0])[:, None, None]
        return vectors.flatten(1, 2)

    class Converted(nn.Module):
        def forward(self, frames):
            return convert(step(convert(frames)))

    with torch.no_grad():
        assert network_error(RollOut(Converted(), steps=2), "rotation", x) > 0.1


@pytest.mark.usefixtures("library")
def test_it_mirrors_the_convolutional_network():
    theirs, ours = subject().model.step.layers, subject("convolutional").model.step
    convolutions = [layer for layer in ours if isinstance(layer, nn.Conv2d)]
    assert len(theirs) == len(ours)
    for number, convolution in enumerate(convolutions):
        layer = theirs[2 * number]
        kernel, bias = layer.expand_parameters()
        assert kernel.shape == convolution.weight.shape
        assert layer.padding == convolution.padding[0]
        assert (bias is None) == (convolution.bias is None)
    made = subject()
    assert not made.binding.entries
    assert 0 < sum(p.numel() for p in made.model.parameters()) < sum(p.numel() for p in ours.parameters()) / 4


@pytest.mark.usefixtures("library")
def test_its_draw_follows_from_the_seed_alone():
    before = torch.random.get_rng_state()
    first = subject(seed=3).model.step.layers[0].weights
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(7)
    assert torch.equal(subject(seed=3).model.step.layers[0].weights, first)
    assert not torch.equal(subject(seed=4).model.step.layers[0].weights, first)


def test_it_is_a_row_where_there_is_a_turn():
    assert [applies(condition, "e2cnn") for condition in ("translation", "rotation", "scale", "break 0.3")] == [
        False,
        True,
        False,
        True,
    ]


def test_without_e2cnn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "e2cnn", None)
    with pytest.raises(MissingExtraError, match=r"intertwine\[smoke\]"):
        E2cnnStep(2, 8, 1, 3)
