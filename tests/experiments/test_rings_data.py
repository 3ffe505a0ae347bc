import math

import pytest
import torch

import intertwine as iw
from experiments.rings.data import STREAMS, load_rings, stream, turn, wave_amplitude


def polar(x):
    return x.norm(dim=1).double(), torch.atan2(x[:, 1], x[:, 0]).double()


def test_the_arc_is_where_the_paper_has_it():
    split = load_rings("arc", seed=0)
    assert [len(part.y) for part in (split.training, split.validation, split.test)] == [200, 200, 2000]
    for part in (split.training, split.validation, split.test):
        radius, angle = polar(part.x)
        outer = part.y.bool()
        assert outer.sum() == len(outer) / 2
        assert radius[~outer].max() <= 1
        assert radius[outer].min() >= 2.3 - 1e-6
        assert radius[outer].max() <= 3 + 1e-6
        assert angle[outer].min() >= 0
        assert angle[outer].max() <= math.pi / 2
    # Uniform in area: half of the disc lies outside 1/sqrt(2), half of the annulus outside the mean of squares.
    radius, _ = polar(split.test.x)
    assert ((radius[:1000] > math.sqrt(0.5)).double().mean() - 0.5).abs() < 0.08
    assert ((radius[1000:] ** 2 > (2.3**2 + 3**2) / 2).double().mean() - 0.5).abs() < 0.08


@pytest.mark.parametrize("amplitude", [0, 0.25, 1])
def test_a_perfect_classifier_errs_alike_at_every_amplitude(amplitude):
    split = load_rings(f"wavy {amplitude}", seed=1, test=20000)
    assert len(split.training.y) == 700
    radius, angle = polar(split.test.x)
    right = ((radius - amplitude * (5 * angle).sin() > 2.0) == split.test.y.bool()).double().mean()
    # Phi(2) = 0.97725, deviation of the mean 0.001; the inner ring is cut at small radii only.
    assert right.item() == pytest.approx(0.97725, abs=0.004)


def test_amplitudes_share_angles_and_noise():
    straight, wavy = (load_rings(f"wavy {a}", seed=3).training for a in (0, 0.5))
    (r, angle), (s, other) = polar(straight.x), polar(wavy.x)
    torch.testing.assert_close(angle, other, atol=1e-5, rtol=0)
    outer = straight.y.bool()
    torch.testing.assert_close((s - r)[outer], 0.5 * (5 * angle[outer]).sin(), atol=1e-5, rtol=0)
    assert not torch.equal(straight.x, load_rings("wavy 0", seed=4).training.x)
    assert torch.equal(straight.x, load_rings("wavy 0", seed=3).training.x)


def test_turned_points_keep_radius_and_label():
    split = load_rings("arc", seed=0)
    assert torch.equal(split.turned.y, split.test.y)
    (r, a), (s, b) = polar(split.test.x), polar(split.turned.x)
    torch.testing.assert_close(r, s, atol=1e-5, rtol=1e-5)
    assert ((b - a).cos().mean()).abs() < 0.07
    assert (b[split.turned.y.bool()] < 0).double().mean().item() == pytest.approx(0.5, abs=0.06)


def test_turn_is_the_action_of_the_group():
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    G = iw.SO(2)
    for g in G.sample(3, generator=torch.Generator().manual_seed(1)):
        angle = torch.atan2(g[1, 0], g[0, 0]).expand(6)
        torch.testing.assert_close(turn(x, angle), G.standard().act(g, x))


def test_streams_differ():
    draws = {(seed, name): torch.rand((), generator=stream(seed, name)).item() for seed in range(3) for name in STREAMS}
    assert len(set(draws.values())) == len(draws)
    split = load_rings("arc", seed=0)
    assert not torch.equal(split.training.x, split.validation.x)


@pytest.mark.parametrize("condition", ["ring", "wavy", "wavy x", "wavy 1.5", "wavy -0.1", "wavy nan", ""])
def test_refuses_conditions(condition):
    with pytest.raises(iw.errors.UnknownNameError, match="condition: expected 'arc' or 'wavy A'"):
        wave_amplitude(condition)


@pytest.mark.parametrize(("training", "test"), [(0, 10), (5, 0), (5, 7)])
def test_refuses_counts(training, test):
    with pytest.raises(iw.errors.ArgumentError, match="training, test: expected counts >= 1"):
        load_rings("arc", 0, training, test)
