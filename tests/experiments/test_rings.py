import json
import math

import pytest
import torch
import torch.nn.functional as F

import intertwine as iw
from experiments.comparison.selection import rows_by_strength
from experiments.rings.findings import conclusions, grid_rows, sensitivity
from experiments.rings.methods import BothStrengths, NormPenalty, both_name, parse_both, rings_method
from experiments.rings.model import (
    CircularHarmonics,
    InvariantPairing,
    decisions,
    decisions_text,
    harmonic_type,
    initial_network,
    mesh_points,
)
from experiments.rings.task import LABELS, PLANS, TASK, TRAINED
from experiments.rings.training import RingsSettings, rings_subject, run_rings, scores, train
from experiments.runs.record import provenance
from intertwine.baselines import BASELINES

SHORT = {"epochs": 3, "training": 15, "test": 60}


def settings(method, condition="arc", strength=None, **options):
    plan = {"condition": condition, "method": method, "seed": 0, "strength": strength, "learning_rate": 3e-3}
    return plan | {"device": "cpu"} | SHORT | options


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def subject(seed=0):
    return rings_subject(initial_network(seed))


# -- the network ----------------------------------------------------------------------------------


def test_harmonics_turn_as_typed():
    x = torch.randn(20, 2, generator=generator(), dtype=torch.float64)
    features, rep = CircularHarmonics(), harmonic_type(4)
    for g in iw.SO(2).sample(3, generator=generator(1)):
        torch.testing.assert_close(features(x @ g.T), rep.act(g, features(x)), atol=1e-6, rtol=1e-6)
    # cos 3 phi in the radial channel around 4/3, written out; frequencies before 3 take 4 + 8 + 8 places.
    radius, angle = x.norm(dim=1), torch.atan2(x[:, 1], x[:, 0])
    expected = (-((radius - 4 / 3) ** 2) / (2 * (4 / 3) ** 2)).exp() * (3 * angle).cos()
    torch.testing.assert_close(features(x)[:, 20 + 2], expected, atol=1e-6, rtol=1e-6)


def test_pairing_is_the_product_of_conjugate_and_number():
    u, v = torch.randn(2, 5, 9 * 8, generator=generator())
    product = InvariantPairing(8)(u, v)
    complex_u, complex_v = (torch.view_as_complex(t[:, 8:].unflatten(1, (-1, 2))) for t in (u, v))
    torch.testing.assert_close(product[:, :8], u[:, :8] * v[:, :8])
    expected = torch.view_as_real(complex_u.conj() * complex_v).flatten(1)
    torch.testing.assert_close(product[:, 8:], expected)
    g = iw.SO(2).sample(1, generator=generator())[0]
    rep = harmonic_type(8)
    torch.testing.assert_close(InvariantPairing(8)(rep.act(g, u), rep.act(g, v)), product, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(InvariantPairing(8)(rep.act(g, u), v), product, atol=1e-2)


def test_pairing_refuses_an_odd_number_of_channels():
    with pytest.raises(iw.errors.ArgumentError, match="channels: expected an even number >= 2; got 3"):
        InvariantPairing(3)


def test_the_network_is_invariant_where_the_weights_are_projected():
    made = subject()
    x = torch.randn(50, 2, generator=generator())
    error = iw.equivariance_error(made.model, made.act_in, made.act_out, x, group=made.group)
    assert error.relative_worst > 0.1
    made.binding.project_(preserve_norm=True)
    error = iw.equivariance_error(made.model, made.act_in, made.act_out, x, group=made.group)
    assert error.relative_worst < 1e-5
    assert made.model(x).std() > 1e-3


def test_the_projection_masks_unlike_frequencies_and_keeps_complex_numbers():
    made = subject()
    weight = made.model.first.weight.detach()
    P = made.binding["first.weight"].projector
    projected = P.project(weight)
    frequency_in = torch.tensor([0] * 4 + [m for m in range(1, 5) for _ in range(8)])
    frequency_out = torch.tensor([0] * 8 + [m for m in range(1, 5) for _ in range(16)])
    assert not projected[frequency_out[:, None] != frequency_in].any()
    block, original = projected[8:10, 4:6], weight[8:10, 4:6]
    a, b = (original[0, 0] + original[1, 1]) / 2, (original[1, 0] - original[0, 1]) / 2
    torch.testing.assert_close(block, torch.stack([torch.stack([a, -b]), torch.stack([b, a])]))
    assert P.rank == 8 * 4 * (1 + 4 * 2)


def test_the_lie_algebra_moves_points_as_small_turns_do():
    made = subject()
    x = torch.randn(5, 2, generator=generator(), dtype=torch.float64)
    A, step = iw.SO(2).lie_algebra[0], 1e-6
    moved = (made.act_in(torch.linalg.matrix_exp(step * A), x) - x) / step
    torch.testing.assert_close(made.lie_in(A, x), moved, atol=1e-5, rtol=1e-5)


def test_decisions_survive_the_text():
    right_of_diagonal = decisions(decisions_text(lambda x: x[:, 0] - x[:, 1]))
    assert right_of_diagonal[0, 79]
    assert not right_of_diagonal[79, 0]
    assert mesh_points()[79].tolist() == [4.0, -4.0]
    assert right_of_diagonal.sum() == (80 * 80 - 80) / 2


# -- the methods ----------------------------------------------------------------------------------


def parts(made):
    """``|PW|`` and ``|W - PW|`` of every typed weight."""
    for entry, tensor in made.binding.tensors():
        W = tensor.detach()
        yield entry.projector.project(W).norm(), entry.projector.residual(W).norm()


def test_both_strengths_state_the_papers_formula():
    expected = {"norm": 0.0, "squared": 0.0}
    for equivariant, rest in parts(subject()):
        expected["norm"] += 0.3 * equivariant + 0.7 * rest
        expected["squared"] += 0.3 * equivariant**2 + 0.7 * rest**2
    for form, value in expected.items():
        method = BothStrengths(subject(), 0.7, form, 0.3)
        torch.testing.assert_close(method.penalty(torch.zeros(0), torch.zeros(0)), value)
    equal = BothStrengths(subject(), 0.2, "squared", 0.2)
    weights = [p for name, p in subject().model.named_parameters() if name in ("first.weight", "second.weight")]
    torch.testing.assert_close(
        equal.penalty(torch.zeros(0), torch.zeros(0)), 0.2 * sum(p.square().sum() for p in weights)
    )


def test_the_norm_penalty_starts_at_zero_and_grows_like_the_norm():
    method = NormPenalty(subject(), 0.5)
    assert method.penalty(torch.zeros(0), torch.zeros(0)) < 1e-5
    with torch.no_grad():
        method.model.first.weight += torch.randn(72, 36, generator=generator())
    expected = 0.5 * sum(rest for _, rest in parts(method.subject))
    torch.testing.assert_close(method.penalty(torch.zeros(0), torch.zeros(0)), expected)


def test_names_of_both_strengths():
    for form in ("norm", "squared"):
        for strength in (0.0, 1e-3, 0.1, 1e-5):
            assert parse_both(both_name(form, strength)) == (form, strength)
    for wrong in ("both", "both norm", "both cubed 0.1", "both norm x"):
        with pytest.raises(iw.errors.UnknownNameError, match="both FORM LAMBDA_G"):
            parse_both(wrong)


def test_augmentation_turns_each_point_by_its_own_angle():
    method = rings_method("augmentation", subject(), None, generator())
    x, y = torch.tensor([[2.0, 0.0]]).repeat(4000, 1), torch.ones(4000)
    turned, labels = method.batch(x, y)
    assert labels is y
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=1))
    # Uniform angles: means of the first two harmonics are 0 with a deviation of 1/sqrt(8000).
    angles = torch.atan2(turned[:, 1], turned[:, 0])
    for m in (1, 2):
        assert abs((m * angles).cos().mean()) < 0.06
        assert abs((m * angles).sin().mean()) < 0.06


def test_remul_compares_turned_points_with_the_labels():
    made = subject()
    made.binding.project_(preserve_norm=True)
    method = rings_method("remul", made, 0.3, generator())
    x = torch.randn(30, 2, generator=generator())
    x, y = method.batch(x, (x[:, 0] > 0).float())
    output = method.model(x)
    task = F.binary_cross_entropy_with_logits(output, y)
    # An invariant network has the same cross-entropy on turned points.
    torch.testing.assert_close(method.total_loss(task, x, output), 1.3 * task, atol=1e-5, rtol=1e-5)
    free = rings_method("remul", subject(), 0.3, generator())
    free.batch(x, y)
    output = free.model(x)
    task = F.binary_cross_entropy_with_logits(output, y)
    assert abs(free.total_loss(task, x, output) - 1.3 * task) > 1e-4


# -- runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*TRAINED, "both norm 0.1", "sweep penalty"])
def test_a_run_depends_on_its_settings_alone(method):
    strengths = PLANS["smoke"].strengths
    tuned = method in strengths or method not in TRAINED
    chosen = settings(method, "wavy 0.5", strengths.get(method, (0.1,))[0] if tuned else None)
    state = torch.get_rng_state()
    first, second = run_rings(chosen), run_rings(chosen)
    assert torch.equal(state, torch.get_rng_state())
    assert {k: v for k, v in first.items() if k != "seconds_per_epoch"} == {
        k: v for k, v in second.items() if k != "seconds_per_epoch"
    }
    assert json.loads(json.dumps(first)) == first
    assert 0 <= first["test_accuracy"] <= 1
    assert first["peak_memory"] > 1000
    assert ("relative_residual" in first) == (method != "perceptron")
    assert set(first.get("variants", {})) == ({"train_then_project", "orbit_averaging"} if method == "plain" else set())


def test_exact_and_projected_networks_are_equivariant_and_others_are_not():
    plain, exact = run_rings(settings("plain")), run_rings(settings("exact"))
    projected = plain["variants"]["train_then_project"]
    for result in (exact, projected):
        assert result["equivariance_error"] < 1e-5
        assert result["relative_residual"] < 1e-6
    assert plain["equivariance_error"] > 0.05
    assert plain["relative_residual"] > 0.9
    assert plain["chance"] == pytest.approx(math.sqrt(1 - 9 / 81))
    total = plain["equivariant_norm"] ** 2 + plain["residual_norm"] ** 2
    assert plain["residual_norm"] / math.sqrt(total) == pytest.approx(plain["relative_residual"])
    # The variants leave the plain training as it was.
    assert plain == plain | {k: v for k, v in run_rings(settings("plain")).items() if k != "seconds_per_epoch"}


def test_worst_rotation_error_is_that_of_turned_points():
    chosen = RingsSettings(**settings("plain"))
    trained = train(chosen)
    result = run_rings(settings("plain"))
    x = trained.split.test.x
    with torch.no_grad():
        still = trained.method.model(x)
        angles = torch.linspace(0, 2 * math.pi, 400)[:-1]
        errors = [
            (trained.method.model(x @ torch.tensor([[a.cos(), a.sin()], [-a.sin(), a.cos()]])) - still).square().mean()
            for a in angles
        ]
    # 40 random turns are at most as bad as the worst of 399, and not far from it.
    worst = max(errors).sqrt().item()
    assert 0.8 * worst < result["worst_rotation_error"] <= worst * (1 + 1e-3)


def test_training_fits_the_arc_and_only_symmetry_reaches_around_it():
    results = {method: run_rings(settings(method, epochs=60, training=50, test=400)) for method in ("plain", "exact")}
    assert min(result["test_accuracy"] for result in results.values()) > 0.98
    assert results["exact"]["turned_accuracy"] > 0.98
    assert results["plain"]["turned_accuracy"] < 0.9


def test_divergence_is_infinite_and_no_crash():
    result = run_rings(settings("plain", learning_rate=1e30))
    for name in ("validation_loss", "equivariance_error", "worst_rotation_error", "relative_residual"):
        assert result[name] == math.inf


def test_scores():
    points = train(RingsSettings(**settings("plain"))).split.training
    loss, accuracy = scores(lambda x: x.norm(dim=1) - 1.5, points)
    assert accuracy == 1.0
    assert loss == pytest.approx(
        F.binary_cross_entropy_with_logits(points.x.norm(dim=1) - 1.5, points.y).item(), abs=1e-6
    )


# -- the task -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["smoke", "cpu", "full"])
def test_every_method_has_the_same_budget(size):
    plan = PLANS[size]
    budgets = {method: len(plan.configurations(method)) for method in plan.methods}
    assert set(budgets.values()) == {len(plan.learning_rates)}
    assert set(plan.strengths) == {m for m in TRAINED if m == "penalty_norm" or (m in BASELINES and BASELINES[m].tuned)}
    grid = TASK.grid(size)
    assert len({json.dumps(run, sort_keys=True) for run in grid}) == len(grid)
    assert set(LABELS) == {*TRAINED, "train_then_project", "orbit_averaging"}
    if size != "smoke":
        assert (
            sum(run["method"].startswith("both norm") and run["condition"] == "arc" for run in grid) == 16 * plan.seeds
        )
        assert sum(run["method"].startswith("both squared") for run in grid) == 16 * plan.seeds


@pytest.fixture(scope="module")
def smoke():
    return [(run, run_rings(run)) for run in TASK.grid("smoke")]


def test_smoke_writes_everything(smoke, tmp_path):
    head = provenance("command") | {"device": "cpu", "seeds": [0], "runs": 1, "runs_from_cache": 0, "workers": 1}
    names = {path.name for path in TASK.write(smoke, head, tmp_path)}
    pictures = {"regions.png", "grid_norm.png", "grid_squared.png", "strengths.png", "sweep.png"}
    assert pictures < names
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    record = json.loads((tmp_path / "record.json").read_text(), parse_constant=pytest.fail)
    kept = {(row["method"], row["strength"]) for row in record["every_configuration"] if row["condition"] == "arc"}
    assert {(both_name(form, a), b) for form in ("norm", "squared") for a in (0.1, 0.0) for b in (0.1, 0.0)} <= kept
    assert len(record["conclusions"]) == 3
    assert {row["method"] for row in record["rows"]} == set(LABELS)


def fabricated(values):
    """Rows with two seeds from ``(condition, method, strength) -> (test accuracy, turned accuracy, error)``."""
    runs = []
    for (condition, method, strength), (accuracy, turned, error) in values.items():
        for seed in (0, 1):
            run = {"test_accuracy": accuracy + 0.01 * seed * (method == "plain"), "turned_accuracy": turned}
            run |= {"validation_loss": 0.0, "equivariance_error": error, "worst_rotation_error": 10 * error}
            runs.append(({"condition": condition, "method": method, "strength": strength, "seed": seed}, run))
    return rows_by_strength(runs, "condition")


def test_conclusions_say_what_the_rows_say():
    accuracy = {"plain": 0.9, "exact": 0.7, "perceptron": 0.95, "weight_decay": 0.91, "penalty": 0.93}
    values = {("wavy 0.5", method, None): (value, 0.8, 0.1) for method, value in accuracy.items()}
    values |= {("arc", method, None): (1.0, 1.0 if method == "exact" else 0.6, 0.1) for method in accuracy}
    waves, arc, control = conclusions(fabricated(values), LABELS)
    assert "amplitude 0.5: 0.930 ± 0.000, +0.025 ± 0.005 against plain, +0.230 ± 0.000 against the exactly" in waves
    assert "-0.020 ± 0.000 against the perceptron" in waves
    assert "reach 1.000 to 1.005, so that validation cannot see" in arc
    assert "reached by: exactly equivariant 1.000. Less by: plain 0.600; weight decay 0.600;" in arc
    assert "ahead by more than two standard errors: wavy 0.5; behind by as much: nowhere." in control


def test_sensitivity_reads_the_corners_of_the_grid():
    corners = {(0.0, 0.0): 1.0, (0.1, 0.0): 0.5, (0.0, 0.1): 0.01, (0.1, 0.1): 2.0}
    values = {("arc", both_name("squared", a), b): (1.0, e / 4, e) for (a, b), e in corners.items()}
    rows = fabricated(values)
    assert {key: row.values("equivariance_error")[0] for key, row in grid_rows(rows, "squared").items()} == corners
    sentence = sensitivity(rows, "squared")
    assert "neither strength, lambda_G alone, lambda_perp alone, both (weight decay), each 0 or 0.1" in sentence
    assert "equivariance error 1, 0.5, 0.01, 2; worst-rotation error 10, 5, 0.1, 20;" in sentence
    assert sensitivity(rows, "norm") == ""
