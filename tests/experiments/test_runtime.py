"""The timings: that what is timed is what it says, and that the tables say what was timed."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import intertwine as iw
from experiments.runs.experiment import Experiment
from experiments.runtime import timing as runtime_timing
from experiments.runtime.actions import image_action, image_derivative, moved_image
from experiments.runtime.cases import PAIRS, Case
from experiments.runtime.experiment import TASK
from experiments.runtime.findings import Findings
from experiments.runtime.methods import DenseBasis, PlainL2, alone, timed_method
from experiments.runtime.process import KEEP_MEMORY, run_runtime
from experiments.runtime.timing import Timing, interleaved
from experiments.runtime.variance import measure_variance, samples_needed
from intertwine.baselines import training_step
from intertwine.errors import UnknownNameError

CASES = [(group, kind) for kind, groups in PAIRS.items() for group in groups]


def small(group: str, kind: str) -> Case:
    return Case(group, kind, 32, 3, 1 if kind == "mlp" else 5)


@pytest.mark.parametrize("group", [iw.Dihedral(4), iw.Octahedral(reflections=True)])
def test_images_move_as_the_grid_does(group: iw.Dihedral | iw.Octahedral) -> None:
    side = (4,) * group.matrix_dim
    x = torch.randn(2, 3, *side, generator=torch.Generator().manual_seed(0))
    grid = group.grid(*side)
    for g in group.elements():
        assert torch.equal(moved_image(g, x).flatten(2), grid.act(g, x.flatten(2)))


def test_interpolated_turns_meet_the_exact_ones() -> None:
    x = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # Just outside the tolerance for whole pixels: the other branch, with nearly the same result.
    angle = math.pi / 2 + 1e-6
    g = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    rep = iw.SO(2).irrep(1)
    torch.testing.assert_close(moved_image(g, x), x.rot90(1, (-2, -1)), atol=1e-4, rtol=0)
    turned = image_action(rep)(g, x)
    torch.testing.assert_close(turned[:, 0], -x.rot90(1, (-2, -1))[:, 1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("group", [iw.SO(2), iw.SO(3)])
def test_derivative_of_a_coordinate(group: iw.Group) -> None:
    """Of f(p) = p_k it is -(A p)_k, and central differences are exact on linear functions."""
    dims = group.matrix_dim
    axes = [torch.arange(5.0) - 2 for _ in range(dims)]
    indices = torch.meshgrid(*axes, indexing="ij")
    points = torch.stack([indices[-1], -indices[-2], *indices[:-2]])
    for A in group.lie_algebra:
        expected = -torch.einsum("kl,l...->k...", A.float(), points)
        torch.testing.assert_close(image_derivative(A, points[:, None]), expected[:, None])


@pytest.mark.parametrize(("group", "kind"), CASES)
def test_projected_networks_are_equivariant(group: str, kind: str) -> None:
    case = small(group, kind)
    network = case.network()
    subject = network.subject()
    assert not subject.binding.unaccounted
    subject.binding.project_(preserve_norm=True)
    x, y = case.data()
    assert math.isfinite(case.criterion(subject.model(x), y).item())
    # SO(2) and SO(3) are tried at a quarter turn about the last axis: others interpolate.
    quarter = torch.eye(len(subject.group.sample(1)[0]), dtype=torch.float64)
    quarter[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    moved, output = subject.model(subject.act_in(quarter, x)), subject.model(x)
    torch.testing.assert_close(moved, subject.act_out(quarter, output), atol=1e-5, rtol=1e-4)
    for name, action in subject.hidden.items():
        part = network.model[: int(name) + 1]
        torch.testing.assert_close(part(subject.act_in(quarter, x)), action(quarter, part(x)), atol=1e-5, rtol=1e-4)


def test_dense_basis_gives_the_same_penalty() -> None:
    network = small("D4", "cnn2d").network()
    method = timed_method("dense", network)
    assert isinstance(method, DenseBasis)
    weights = {e.module: 1.0 for e in method.subject.binding if e.kind == "weight"}
    ours = method.subject.binding.penalty({f"{name}.weight": s for name, s in weights.items()})
    x, _ = network.case.data()
    torch.testing.assert_close(method.penalty(x, x), ours)


def test_what_a_method_adds_is_a_difference_within_rounds() -> None:
    own = runtime_timing.Timing({0: 3.0, 1: 5.0, 2: 9.0})
    assert own.minus(runtime_timing.Timing({0: 1.0, 2: 2.0, 3: 50.0})) == 4.5


@pytest.mark.parametrize("name", ["penalty", "decay", "plain_l2"])
def test_idle_work_changes_no_weight_and_no_gradient(name: str) -> None:
    network = small("C4", "mlp").network()
    added, idle = alone(name, network)
    before = [p.detach().clone() for p in network.model.parameters()]
    idle()
    for parameter, old in zip(network.model.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
        assert parameter.grad is not None
        assert not parameter.grad.any()
    added()
    gradients = [p.grad for p in network.model.parameters() if p.grad is not None]
    moved = [not torch.equal(p, old) for p, old in zip(network.model.parameters(), before, strict=True)]
    assert any(moved) if name == "decay" else any(bool(gradient.any()) for gradient in gradients)


def test_plain_l2_alone_is_its_gradient() -> None:
    network = small("C4", "mlp").network()
    alone("plain_l2", network)[0]()
    method = timed_method("plain_l2", network)
    assert isinstance(method, PlainL2)
    for W in network.model.parameters():
        assert W.grad is not None
        torch.testing.assert_close(W.grad, W.detach())


@pytest.mark.parametrize("name", ["plain", "penalty", "decay", "augmentation", "rpp", "sampled_activation"])
def test_steps_move_every_weight(name: str) -> None:
    case = small("SO(3)", "mlp")
    method = timed_method(name, case.network(), 2)
    before = [p.detach().clone() for p in method.model.parameters()]
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.1)
    method.attach(optimizer)
    assert math.isfinite(training_step(method, optimizer, *case.data(), case.criterion))
    assert all(not torch.equal(p, q) for p, q in zip(method.model.parameters(), before, strict=True) if q.ndim > 1)


def test_unknown_cases_are_refused() -> None:
    settings = {"group": "SO(3)", "kind": "cnn2d", "width": 8, "batch": 2, "side": 4, "seed": 0, "device": "cpu"}
    with pytest.raises(UnknownNameError, match="one of C4, D4, SO"):
        Case.of(settings)
    with pytest.raises(UnknownNameError, match="smoke, cpu, full"):
        TASK.grid("huge")


# -- timing --------------------------------------------------------------------------------------------------


def test_ratios_are_taken_within_common_rounds() -> None:
    slow, plain = Timing({0: 2.0, 2: 30.0}), Timing({0: 1.0, 1: 5.0, 2: 10.0})
    assert slow.over(plain) == (2.5, 2.0, 3.0)
    assert slow.median == 16.0


def test_long_works_take_part_in_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"short": 0.1, "long": 1.0}
    order: list[str] = []

    def sample(work: Any, calls: int, device: str) -> float:
        order.append(work())
        return seconds[order[-1]]

    monkeypatch.setattr(runtime_timing, "sample", sample)
    times = interleaved({name: partial(str, name) for name in seconds}, seconds=1.0, least=3)
    assert len(times["short"].samples) == 10
    assert len(times["long"].samples) == 3
    assert times["long"].median == 1.0
    assert set(times["long"].samples) <= set(times["short"].samples)
    # Each round begins with another work.
    both = list(times["long"].samples)
    assert len({n % 2 for n in both}) == 2


# -- sampling ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "order"), [("C4", 4), ("D4", 8)])
def test_spread_of_a_finite_group_is_that_of_the_identity_turning_up(group: str, order: int) -> None:
    """With regular fields all elements but the identity give about the same, so c^2 = 1 / (order - 1)."""
    settings = {"group": group, "width": 48, "timed_width": 16, "draws": 2, "elements": 400, "counts": [1, 16],
                "seconds": 0.0, "least": 2, "seed": 0, "device": "cpu"}  # fmt: skip
    run = measure_variance(settings)
    expected = 1 / math.sqrt(order - 1)
    assert run["order"] == order
    for kind, constant in run["constant"].items():
        assert constant == pytest.approx(expected, rel=0.12), kind
        assert run["bias"][kind] == pytest.approx(0.0, abs=5 * expected / math.sqrt(800)), kind
        assert run["spread"][kind][0] == constant
        assert run["spread"][kind][1] == pytest.approx(constant / 4, rel=0.4), kind
    assert samples_needed(run["constant"]["random"], 0.01) == pytest.approx(1e4 / (order - 1), rel=0.25)


# -- findings ------------------------------------------------------------------------------------------------


def made_up(penalty: float, element: float, positions: int = 4096) -> tuple[dict[str, Any], dict[str, Any]]:
    """A network whose plain step takes a second."""
    settings = {"measure": "steps", "group": "D4", "kind": "mlp", "width": 8, "batch": positions, "samples": [1, 2]}
    plain = {"seconds": 1.0, "ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "rounds": 3, "peak_memory": 100}
    methods: dict[str, Any] = dict.fromkeys(("plain", "plain_l2", "penalty", "decay", "augmentation", "rpp"), plain)
    methods |= {f"sampled_activation@{n}": plain | {"ratio": 1 + n * element, "peak_memory": 300} for n in (1, 2)}
    methods |= {"lie_derivative": {"reason": "finite"}}
    rest: dict[str, Any] = {"positions": positions, "weights": 10, "rank": 2, "setup_seconds": 0.1, "threads": 1}
    rest |= {"constant_bytes": 0, "dense_bytes": 80, "load": 0.1}
    return settings, rest | {"methods": methods, "alone": {"plain_l2": 0.01, "penalty": penalty, "decay": 0.02}}


def test_budgets_are_judged_where_they_hold() -> None:
    found = Findings.of([made_up(0.04, 1.0), made_up(0.06, 1.0), made_up(0.5, 1.0, positions=32)])
    penalty, decay, element, small_batches = found.verdicts()
    assert penalty["missed"] == ["D4, MLP, w = 8, batch 4096"]
    assert penalty["largest"] == 0.06
    assert decay["missed"] == []
    # 1 / 0.06 is below 20, 1 / 0.04 above.
    assert len(element["missed"]) == 1  # type: ignore[arg-type]
    assert small_batches["largest"] == pytest.approx(50)
    text = " ".join(found.conclusions())
    assert "4.0% to 6.0%" in text
    assert "missed in 1 of 2 and met everywhere" in text
    assert "at most 32 uses" in text


def test_misses_of_small_networks_are_said_to_be_theirs() -> None:
    small, large = made_up(0.06, 2.0), made_up(0.04, 2.0)
    large[1]["weights"] = 1000
    assert "missed in 1 of 2, none above 10 weights" in Findings.of([small, large]).conclusions()[0]
    small[1]["weights"] = 10_000
    assert "missed in 1 of 2 and" in Findings.of([small, large]).conclusions()[0]


def test_smoke_end_to_end(tmp_path: Path) -> None:
    task: Experiment = TASK
    runs = [(settings, json.loads(json.dumps(task.run(settings)))) for settings in task.grid("smoke")]
    mlp, cnn, spread = (run for _, run in runs)
    assert "reason" in mlp["methods"]["lie_derivative"]
    assert "reason" in cnn["methods"]["sampled_operator@1"]
    assert mlp["methods"]["dense"]["seconds"] > 0
    # A further pass through the model keeps its activations until backward, and each further element one more.
    peaks = [mlp["methods"][name]["peak_memory"] for name in ("plain", "sampled_activation@1", "sampled_activation@2")]
    assert peaks == sorted(set(peaks))
    assert spread["order"] == 4
    head = {"command": "python -m experiments reproduce runtime --smoke", "date": "today", "device": "cpu", "runs": 3,
            "runs_from_cache": 0, "environment": {"processor": "some", "cores": "2", "torch": "2"}}  # fmt: skip
    paths = task.write(runs, head, tmp_path)
    assert {"record.json", "README.md", "time.png", "memory.png", "basis.png", "spread.png"} <= {p.name for p in paths}
    assert all(path.stat().st_size > 500 for path in paths)
    record = json.loads((tmp_path / "record.json").read_text())
    assert Findings.of([(r["settings"], r["result"]) for r in record["runs"]]).conclusions() == record["conclusions"]
    assert {picture["name"] for picture in record["pictures"]} <= {path.name for path in paths}
    assert all(len(row) == len(table["columns"]) for table in record["tables"] for row in table["rows"])
    page = (tmp_path / "README.md").read_text()
    assert "SO(2), 2D CNN, w = 7" in page
    assert "nan" not in page
    console = Console(width=200, record=True, quiet=True)
    task.show(console, runs)


def test_runs_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Done:
        returncode, stdout, stderr = 0, '{"answer": 1}', ""

    monkeypatch.setattr("subprocess.run", lambda command, **options: given.update(options, command=command) or Done)
    assert run_runtime({"isolated": True, "threads": 2}) == {"answer": 1}
    assert given["env"].items() >= {**KEEP_MEMORY, "OMP_NUM_THREADS": "2"}.items()
    assert json.loads(given["input"]) == {"isolated": True, "threads": 2}
    Done.returncode, Done.stderr = 1, "no memory"
    with pytest.raises(RuntimeError, match="no memory"):
        run_runtime({"isolated": True, "threads": 2})


def test_grids_are_distinct_and_cover_what_was_asked() -> None:
    for size in ("smoke", "cpu", "full"):
        grid = TASK.grid(size)
        keys = [json.dumps(settings, sort_keys=True) for settings in grid]
        assert len(set(keys)) == len(keys)
    steps = [s for s in TASK.grid("cpu") if s["measure"] == "steps"]
    assert {(s["group"], s["kind"]) for s in steps} == set(CASES)
    for group, kind in CASES:
        widths = {s["width"] for s in steps if (s["group"], s["kind"]) == (group, kind) and s["batch"] != 32}
        assert len(widths) >= 3
    assert all(Case.of(s).positions == (4096 if s["batch"] != 32 else 32) for s in steps)
    assert len(TASK.grid("cpu", seeds=2)) == 2 * len(TASK.grid("cpu"))
