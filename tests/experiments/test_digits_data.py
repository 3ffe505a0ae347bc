import pytest
import torch
from sklearn.datasets import load_digits

import intertwine as iw
from experiments.demo.digits_data import STREAMS, load_digits_split, stream, turn


def parts(split):
    return split.training, split.validation, split.test


def test_sizes_and_ranges():
    split = load_digits_split(0.3, seed=0)
    assert [len(part.y) for part in parts(split)] == [300, 300, 1197]
    x = torch.cat([part.x for part in parts(split)])
    assert x.shape == (1797, 64)
    assert x.min() == 0
    assert x.max() == 1


def test_fraction_zero_leaves_the_digits():
    split = load_digits_split(0.0, seed=3)
    assert not any(part.selected.any() or part.quarters.any() for part in parts(split))
    ours = torch.cat([part.x for part in parts(split)])
    theirs = torch.from_numpy(load_digits().data / 16).float()
    # The same multiset of images: the split only reorders.
    assert torch.equal(ours.sort(0).values, theirs.sort(0).values)
    assert torch.equal(
        torch.cat([p.y for p in parts(split)]).bincount(), torch.from_numpy(load_digits().target).bincount()
    )


def test_fraction_one_selects_all_and_turns_a_quarter_each_way():
    split = load_digits_split(1.0, seed=3)
    assert all(part.selected.all() for part in parts(split))
    counts = split.test.quarters.bincount(minlength=4)
    # Binomial with 1197 draws: five standard deviations are 75.
    assert (counts - 1197 / 4).abs().max() < 75


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
def test_the_fraction_is_exact_in_each_part(fraction):
    for part in parts(load_digits_split(fraction, seed=1)):
        assert int(part.selected.sum()) == round(fraction * len(part.y))
        assert not part.quarters[~part.selected].any()


def test_one_seed_shares_split_and_turns_along_the_dial():
    low, high = load_digits_split(0.1, seed=5), load_digits_split(0.5, seed=5)
    upright = load_digits_split(0.0, seed=5)
    for a, b, c in zip(parts(low), parts(high), parts(upright), strict=True):
        assert torch.equal(a.y, b.y)
        assert b.selected[a.selected].all()
        assert torch.equal(a.quarters[a.selected], b.quarters[a.selected])
        assert torch.equal(turn(c.x, b.quarters), b.x)
    again = load_digits_split(0.1, seed=5)
    assert torch.equal(low.training.x, again.training.x)
    assert not torch.equal(low.training.y, load_digits_split(0.1, seed=6).training.y)


def test_turn_is_the_action_on_the_grid():
    G = iw.Cyclic(4)
    x = torch.rand(7, 64, generator=torch.Generator().manual_seed(0))
    for k, g in enumerate(G.elements()):
        assert torch.equal(turn(x, torch.full((7,), k)), G.grid(8, 8).act(g, x))
        assert torch.equal(turn(x, torch.full((7,), k)).view(7, 8, 8), x.view(7, 8, 8).rot90(k, (1, 2)))


def test_streams_differ():
    draws = {(seed, name): torch.rand((), generator=stream(seed, name)).item() for seed in range(3) for name in STREAMS}
    assert len(set(draws.values())) == len(draws)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_refuses_fractions(fraction):
    with pytest.raises(iw.errors.ArgumentError, match=r"fraction: expected a number in \[0, 1\]"):
        load_digits_split(fraction, seed=0)


def test_refuses_sizes_that_leave_no_test():
    with pytest.raises(iw.errors.ArgumentError, match="leave some of 1797"):
        load_digits_split(0.1, seed=0, training=1000, validation=797)
