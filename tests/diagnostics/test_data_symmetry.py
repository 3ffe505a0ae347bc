"""Does a group leave data unchanged: the statistic, the p-value's distribution, what it finds and what it cannot."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import intertwine as iw
from intertwine.diagnostics.data import energy_distance
from intertwine.diagnostics.data.energy_distance import energy_coefficients, row_chunks
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, NonFiniteError, ShapeError
from tests.binding.cases import seeded

G = iw.Mirror()
JOINTS = G.permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]])  # hip, thigh, calf; left and right


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def gait(n, seed=0, noise=0.3):
    """A trot: the right leg does what the left did half a period before; the clock is that of the left leg."""
    generator = seeded(seed)
    phase = 2 * math.pi * torch.rand(n, generator=generator, dtype=torch.float64)
    speed = 1 + torch.rand(n, generator=generator, dtype=torch.float64)
    legs = []
    for side, own in ((1, phase), (-1, phase + math.pi)):
        legs += [side * (0.1 + 0.2 * own.sin()), 0.8 + speed * own.cos(), -1.5 + speed * (own + 0.5).sin()]
    joints = torch.stack(legs, 1)
    joints = joints + noise * torch.randn(joints.shape, generator=generator, dtype=torch.float64)
    return torch.cat([joints, phase.cos()[:, None], phase.sin()[:, None], speed[:, None]], 1)


RIGHT, UNSWAPPED = (JOINTS + clock + G.trivial() for clock in (G.irreps("2xodd"), G.irreps("2xeven")))
MIRRORED_TIME = JOINTS + G.irreps("even + odd") + G.trivial()
NO_SIGNS = G.permutation([[3, 4, 5, 0, 1, 2]]) + G.irreps("2xodd") + G.trivial()


def brute_force(points, first):
    """The energy coefficient from its definition, with loops."""
    a, b = points[first], points[~first]
    mean = lambda p, q: np.mean([np.linalg.norm(u - v) for u in p for v in q])  # noqa: E731
    return (2 * mean(a, b) - mean(a, a) - mean(b, b)) / (2 * mean(a, b))


@pytest.mark.parametrize("entries", [2**22, 40])
def test_the_energy_coefficient_is_its_definition_in_pieces_of_any_size(entries, monkeypatch):
    monkeypatch.setattr(energy_distance, "CHUNK_ENTRIES", entries)
    monkeypatch.setattr(energy_distance, "CHUNK_DEALS", 3)
    points = randn(17, 3)
    first = torch.rand(17, 7, generator=seeded(1)) < 0.4
    pieces = []
    found = energy_coefficients(points, first, lambda: pieces.append(1))
    expected = [brute_force(points.numpy(), first[:, k].numpy()) for k in range(7)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)
    assert len(pieces) == row_chunks(17) == (1 if entries > 40 else 9)


def p_values(draw, rep, seeds=300, **options):
    tests = (
        iw.data_symmetry(draw(seed), rep, num_permutations=49, generator=seeded(1000 + seed), **options).tests[0]
        for seed in range(seeds)
    )
    return np.array([test.p_value for test in tests])


def uniformity(p):
    """The p-value of uniformity of p on 1/50, ..., 50/50, made continuous by a draw inside each step."""
    return stats.kstest(p - np.random.default_rng(0).random(len(p)) / 50, "uniform").pvalue


def symmetric(seed, n=24):
    """Few, skewed samples with a symmetric distribution: the even part is exponential."""
    return torch.stack([randn(n, seed=seed), randn(n, seed=seed + 10**6).exp()], 1)


def test_p_values_are_uniform_where_the_symmetry_holds():
    p = p_values(symmetric, G.irreps("odd + even"))
    assert uniformity(p) > 0.01
    assert (p <= 0.1).mean() == pytest.approx(0.1, abs=0.05)


def test_the_law_fails_on_samples_held_against_their_own_images():
    """The obvious statistic, all x against all g x: its halves are not independent, and p-values crowd at one."""
    p = []
    for seed in range(100):
        x = symmetric(seed)
        points = torch.cat([x, x * torch.tensor([-1.0, 1.0])])
        deals = [torch.arange(48) < 24, *(torch.randperm(48, generator=seeded(seed + k)) < 24 for k in range(49))]
        found = energy_coefficients(points, torch.stack(deals, 1))
        p.append((1 + int((found[1:] >= found[0]).sum())) / 50)
    assert uniformity(np.array(p)) < 1e-6


def test_samples_of_one_trajectory_are_dealt_out_together():
    """Fifteen trajectories of eight equal steps: p-values are uniform by block; step by step false alarms abound."""

    def draw(seed):
        return symmetric(seed, 15).repeat_interleave(8, 0)

    blocks = torch.arange(15).repeat_interleave(8)
    rep = G.irreps("odd + even")
    assert uniformity(p_values(draw, rep, blocks=blocks)) > 0.01
    assert (p_values(draw, rep, seeds=40) <= 0.1).mean() > 0.5
    assert iw.data_symmetry(draw(0), rep, blocks=[f"run {b}" for b in blocks.tolist()]).num_blocks == 15


def test_a_clock_that_is_swapped_wrongly_is_found_with_a_thousand_samples():
    verdicts = {}
    for name, rep in {"right": RIGHT, "unswapped": UNSWAPPED, "time": MIRRORED_TIME, "no signs": NO_SIGNS}.items():
        found = [iw.data_symmetry(gait(1000, seed), rep, generator=seeded(seed)).tests[0] for seed in range(3)]
        verdicts[name] = [test.verdict for test in found]
        assert all(test.control > 3 * test.chance for test in found)
        if name != "right":
            assert all(test.p_value == 1 / 1000 for test in found)
            assert all(test.distance > test.chance for test in found)
    assert verdicts == {
        "right": ["no difference"] * 3,
        "unswapped": ["differs"] * 3,
        "time": ["differs"] * 3,
        "no signs": ["differs"] * 3,
    }


def test_marginals_alone_would_not_find_the_clock():
    """Every feature by itself looks the same under the wrong mirror: it is what goes with what that differs."""
    x = gait(1000)
    moved = UNSWAPPED.act(G.generators[0], gait(1000, seed=1))
    assert all(stats.ks_2samp(x[:, k].numpy(), moved[:, k].numpy()).pvalue > 0.01 for k in range(x.shape[1]))


@pytest.mark.parametrize(("right", "verdict"), [(True, "no difference"), (False, "differs")])
def test_the_relation_of_x_to_y(right, verdict):
    """y = f(x) + noise with f(g x) = g f(x): torques of a controller; the wrong one is off by one sign."""
    rep_x, rep_y = JOINTS, G.permutation([[1, 0, 2]], signs=[[1, 1, -1]])
    x = randn(1000, 6).exp()  # skewed; then half of it mirrored, at random
    x = torch.where(torch.rand(1000, 1, generator=seeded(2)) < 0.5, x, JOINTS.act(G.generators[0], x))
    y = torch.stack([x[:, 1] - x[:, 0], x[:, 4] + x[:, 3], x[:, 2] - x[:, 5]], 1) + 0.3 * randn(1000, 3, seed=1)
    if not right:
        rep_y = G.permutation([[1, 0, 2]])
    found = iw.data_symmetry(x, rep_x, y, rep_y, generator=seeded())
    assert [(test.of, test.verdict) for test in found.tests] == [("x", "no difference"), ("x and y", verdict)]
    assert "nothing is said of how y depends on x" not in str(found)


def test_where_x_differs_the_relation_stays_open():
    x = randn(400, 2) + 1
    found = iw.data_symmetry(x, G.irreps("2xodd"), x[:, :1].sin(), G.irrep("odd"), generator=seeded())
    assert [test.verdict for test in found.tests] == ["differs", "differs"]
    assert "nothing is said of how y depends on x" in str(found)


def test_lie_groups_are_tested_on_sampled_elements():
    vectors = iw.SO(3).standard()
    found = iw.data_symmetry(randn(600, 4, 3), vectors, generator=seeded())
    assert len(found.tests) == 4
    assert not found.differing
    flat = randn(600, 3) * torch.tensor([1.0, 1.0, 0.3])
    assert len(iw.data_symmetry(flat, vectors, num_samples=3, generator=seeded()).differing) == 3
    mirrors = iw.data_symmetry(randn(99, 2), iw.O(2).standard(), num_samples=0, generator=seeded())
    assert [test.element for test in mirrors.tests] == ["mirror y -> -y"]


def test_images_are_moved_on_their_grid():
    D4 = iw.Dihedral(4)
    ramp = torch.linspace(0, 2, 5, dtype=torch.float64)[:, None]  # brighter below: left-right alike, nothing else
    images = randn(400, 1, 5, 5) + ramp
    found = iw.data_symmetry(images, iw.on_grid(D4.trivial()), generator=seeded())
    assert [test.verdict for test in found.tests] == ["differs", "differs"]
    assert [test.element for test in found.tests] == ["turn by 90 degrees", "mirror y -> -y"]
    left_right = iw.data_symmetry(images, iw.on_grid(G.trivial()), generator=seeded())
    assert left_right.tests[0].verdict == "no difference"
    C2 = iw.Cyclic(2)
    said = iw.data_symmetry(images, iw.on_grid(C2.trivial(), space=C2.irreps("1 + 0")), generator=seeded())
    assert said.tests[0].element == "mirror x -> -x"


def test_data_that_cannot_tell_say_so():
    """White noise is alike under every signed permutation, a wrong mirror included."""
    found = iw.data_symmetry(randn(300, 6), JOINTS, generator=seeded(2))
    assert found.tests[0].verdict == "cannot tell"


def test_units_do_not_matter_and_constants_are_no_features():
    units = torch.tensor([1e-6, 1.0, 1e9, 1e-6, 1.0, 1e9, 1, 1, 1], dtype=torch.float64)
    plain, scaled = (iw.data_symmetry(x, RIGHT, generator=seeded()).tests[0] for x in (gait(200), units * gait(200)))
    assert scaled.distance == pytest.approx(plain.distance, rel=1e-9)
    assert scaled.p_value == plain.p_value
    constant = torch.full((200, 1), 0.1, dtype=torch.float64)
    wider = iw.data_symmetry(torch.cat([gait(200), constant], 1), RIGHT + G.trivial(), generator=seeded()).tests[0]
    assert wider.distance == pytest.approx(plain.distance, rel=1e-9)
    # A constant that the mirror negates is the plainest difference there is.
    gravity = iw.data_symmetry(torch.cat([gait(200), constant], 1), RIGHT + G.irrep("odd"), generator=seeded())
    assert gravity.tests[0].verdict == "differs"


def test_the_same_generator_gives_the_same_numbers_and_progress_is_told():
    said = []
    results = [
        iw.data_symmetry(
            gait(60), RIGHT, gait(60)[:, :6], JOINTS, num_permutations=19, generator=seeded(), progress=progress
        )
        for progress in (None, lambda done, total: said.append((done, total)))
    ]
    assert results[0].to_dict() == results[1].to_dict()
    assert said == [(k, 12) for k in range(1, 13)]


def test_at_most_so_many_points_are_used():
    found = iw.data_symmetry(gait(300), RIGHT, max_points=100, num_permutations=19, generator=seeded())
    assert (found.num_points, found.num_blocks) == (100, 100)
    blocks = torch.arange(300) // 7
    found = iw.data_symmetry(gait(300), RIGHT, max_points=100, blocks=blocks, num_permutations=19, generator=seeded())
    assert found.num_points == 7 * found.num_blocks == 98


def test_complex_and_half_precision_samples():
    phases = torch.polar(
        torch.ones(400, 1, dtype=torch.float64), 6.28 * torch.rand(400, 1, generator=seeded()).double()
    )
    turn = iw.Cyclic(4).representation(torch.full((1, 1, 1), 1j, dtype=torch.complex128))
    assert iw.data_symmetry(phases, turn, generator=seeded()).tests[0].verdict != "differs"
    assert iw.data_symmetry(phases + 1, turn, generator=seeded()).tests[0].verdict == "differs"
    assert iw.data_symmetry(gait(200).half(), UNSWAPPED, generator=seeded()).tests[0].verdict == "differs"


def test_it_prints_a_table():
    text = str(iw.data_symmetry(gait(200), RIGHT, generator=seeded()))
    assert text.splitlines()[0] == "Symmetry of data under Mirror(x): 200 samples, one half against the other moved"
    assert "permutation (0 3)(1 4)(2 5)" not in text  # the clock is no permutation: the mirror is called a mirror
    for word in ("distance", "chance", "wrong group", "mirror x -> -x", "no difference", "no proof", "blocks="):
        assert word in text


X = gait(20)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((None, RIGHT), {}, ArgumentError, "x: expected a torch tensor, one sample a row; got NoneType"),
        ((X[:, :3], RIGHT), {}, ShapeError, r"x: expected \(samples, ..., 9\)"),
        ((X[0], RIGHT), {}, ShapeError, r"x: expected \(samples, ..., 9\).*got shape \(9,\)"),
        ((X[:0], RIGHT), {}, ShapeError, r"got none, shape \(0, 9\)"),
        ((X[:7], RIGHT), {}, ShapeError, "x: expected at least 8 samples; got 7"),
        ((X, RIGHT), {"blocks": [0, 1] * 10}, ShapeError, "blocks: expected at least 8 blocks; got 2"),
        ((X, RIGHT), {"blocks": [0.5] * 20}, ShapeError, "blocks: expected a whole number or a word for each of 20"),
        ((X, RIGHT), {"blocks": [0, 1]}, ShapeError, "blocks: expected"),
        ((X, RIGHT), {"blocks": object()}, ShapeError, "blocks: expected"),
        ((X.long(), RIGHT), {}, DtypeError, "x: expected floating-point or complex samples; got torch.int64"),
        ((X * math.nan, RIGHT), {}, NonFiniteError, "x: expected finite"),
        ((X, 3), {}, ArgumentError, "rep: expected"),
        ((X, RIGHT, X), {}, ArgumentError, "rep_y: expected a value, as y has one"),
        ((X, RIGHT, None, RIGHT), {}, ArgumentError, "y: expected a value"),
        ((X, RIGHT, X[:10], RIGHT), {}, ShapeError, "y: expected 20 samples, as x has; got 10"),
        ((X, RIGHT, X[:, :4], iw.Cyclic(4).regular()), {}, GroupMismatchError, "rep_y: expected a representation of"),
        ((X[:, :1], iw.Trivial().trivial()), {}, ArgumentError, "a group with an element to test; got Trivial"),
        ((X, RIGHT), {"num_permutations": 0}, ArgumentError, "num_permutations: expected an integer >= 1"),
        ((X, RIGHT), {"num_samples": 1.5}, ArgumentError, "num_samples: expected an integer"),
        ((X, RIGHT), {"max_points": 3}, ArgumentError, "max_points: expected an integer >= 8"),
        ((X, RIGHT), {"level": 5}, ArgumentError, "level: expected a rate between 0 and 1"),
        ((X, RIGHT), {"generator": 3}, ArgumentError, "generator: expected a torch.Generator"),
        ((X, RIGHT), {"progress": 3}, ArgumentError, "progress: expected a function"),
        ((X[:, :4, None, None], iw.on_grid(RIGHT)), {}, ShapeError, "expected .*9"),
        ((X[:, :1], iw.Cyclic(4).representation(torch.full((1, 1, 1), 1j))), {}, DtypeError, "x: expected complex"),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        iw.data_symmetry(*arguments, **options)
