"""The benchmarks run, measure what they say, and leave a record. No budget is judged here."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import intertwine as iw
from benchmarks import __main__ as command
from benchmarks import environment, sampled
from benchmarks.decay import Still
from benchmarks.peers import record as peers_record
from benchmarks.record import markdown
from benchmarks.row import Row
from benchmarks.sections import SECTIONS
from benchmarks.settings import QUICK
from benchmarks.timing import Timing, interleaved, ratio
from benchmarks.typed_mlp import Steps, typed_mlps
from benchmarks.weights import bound_weight, penalty_gradient, regular, so3_irreps

ROOT = Path(__file__).parents[1]
VERDICTS = {"not judged", "no budget", "not measured"}


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return out, result.stdout


def test_quick_run_writes_its_record_within_seconds(quick_run):
    out, printed = quick_run
    record = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    # Processor time, as the machine may be busy with other tests; the fresh process of the import row is not in it.
    assert record["processor_seconds"] < 20
    assert {row["section"] for row in record["rows"]} == set(SECTIONS)
    assert {row["verdict"] for row in record["rows"]} <= VERDICTS
    assert all(row["value"] is not None or "not installed" in row["note"] for row in record["rows"])
    assert record["machine"]["malloc"] == environment.KEEP_MEMORY, "the run did not restart itself with the variables"
    assert record["machine"]["torch"] == torch.__version__
    assert "penalty + gradient" in printed
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "bench.md").read_text(encoding="utf-8").count("\n| ") == len(record["rows"]) + 1


def test_restart_only_where_variables_are_missing(monkeypatch):
    calls = []
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.os, "execve", lambda *arguments: calls.append(arguments))
    for key in environment.KEEP_MEMORY:
        monkeypatch.delenv(key, raising=False)
    environment.restart_keeping_memory()
    [(program, arguments, environ)] = calls
    assert arguments[0] == program == sys.executable
    assert environ.items() >= environment.KEEP_MEMORY.items()
    for key, value in environment.KEEP_MEMORY.items():
        monkeypatch.setenv(key, value)
    environment.restart_keeping_memory()
    assert len(calls) == 1


@pytest.mark.parametrize("arguments", [["--record", "--quick"], ["--record", "--only", "penalty"]])
def test_a_partial_run_cannot_replace_the_record(monkeypatch, capsys, arguments):
    monkeypatch.setattr(command, "restart_keeping_memory", lambda: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit):
        command.main()
    assert "full run" in capsys.readouterr().err


def test_works_are_measured_in_turn():
    calls = []
    times = interleaved({name: lambda name=name: calls.append(name) for name in "abc"}, replace(QUICK, least=4, most=4))
    assert [len(timing.samples) for timing in times.values()] == [4, 4, 4]
    assert "".join(calls).endswith("abc" + "bca" + "cab" + "abc")


def test_ratio_is_of_medians_with_the_range_of_rounds():
    a, b = Timing((2.0, 4.0, 9.0), 1), Timing((1.0, 2.0, 1.0), 1)
    measured = ratio(a, b)
    assert (measured.value, measured.low, measured.high) == (4.0, 2.0, 9.0)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("s", "w", 1.5, budget=1.5), "met"),
        (Row("s", "w", 1.51, budget=1.5), "missed"),
        (Row("s", "w", 20.0, budget=20.0, at_least=True), "met"),
        (Row("s", "w", 19.0, budget=20.0, at_least=True), "missed"),
        (Row("s", "w", 19.0), "no budget"),
        (Row("s", "w", None, budget=1.0), "not measured"),
        (Row("s", "w", 1.0, budget=2.0, judged=False), "not judged"),
    ],
)
def test_verdicts(row, verdict):
    assert row.verdict == verdict
    header = {"machine": environment.machine("cpu"), "command": "c"}
    assert f"| {verdict} |" in markdown([row], header)


def test_sampled_penalties_are_twice_ours_on_average():
    """Fact 3: the mean over the group of |g.W - W|^2 is 2 |W - PW|^2; both ways to write it agree on each element."""
    rep = regular(iw.Dihedral(4), 24)
    binding = bound_weight(rep, rep, QUICK)
    W = binding.model.weight.detach().double()
    values = [sampled.conjugated(W, rep.matrix(g)) for g in rep.group.elements()]
    ours = 2 * binding["weight"].projector.squared_residual(W)
    torch.testing.assert_close(sum(values) / len(values), ours)
    for rep in (regular(iw.Dihedral(4), 24), so3_irreps(16)):
        W = torch.randn(rep.dim, rep.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        one, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
        torch.testing.assert_close(sampled.dense(W, rep, one), sampled.acted(W, rep, other))


def test_penalty_and_decay_works_do_what_they_are_called():
    rep = so3_irreps(16)
    binding = bound_weight(rep, rep, QUICK)
    W, P = binding.model.weight, binding["weight"].projector
    penalty_gradient(binding)()
    torch.testing.assert_close(W.grad, 0.1 * P.residual(W.detach()))
    before = P.residual(W.detach()).clone()
    optimizer = Still([W], lr=1.0)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    optimizer.step()
    torch.testing.assert_close(P.residual(W.detach()), before / 2)


def test_typed_models_are_equivariant_once_projected():
    """The sampled term through the model then vanishes: the models are typed as they compute."""
    for mlp in typed_mlps(QUICK):
        model = mlp.model.double()
        binding = iw.bind(model, mlp.types).project_()
        assert not binding.unaccounted
        x = torch.randn(5, mlp.rep_in.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        g = mlp.rep_in.group.sample(1, generator=torch.Generator().manual_seed(1))[0]
        torch.testing.assert_close(model(mlp.rep_in.act(g, x)), mlp.rep_out.act(g, model(x)), rtol=1e-10, atol=1e-10)


def test_every_variant_of_a_step_trains_its_own_copy():
    mlp = typed_mlps(QUICK)[0]
    before = [parameter.clone() for parameter in mlp.model.parameters()]
    steps = Steps(mlp, 4, QUICK)
    for variant in (steps.plain, steps.with_penalty, steps.with_decay, steps.with_plain_l2, steps.with_sampled_element):
        variant()()
    assert all(torch.equal(a, b) for a, b in zip(before, mlp.model.parameters(), strict=True))


def test_peers_record_keeps_the_other_libraries(tmp_path, monkeypatch):
    path = tmp_path / "peers.json"
    path.write_text(json.dumps({"emlp": {"rows": ["kept"]}}), encoding="utf-8")
    monkeypatch.setattr(peers_record.importlib.metadata, "version", lambda name: "0")
    times = {"symm-learning": Timing((2.0,), 1), "ours": Timing((1.0,), 1)}
    rows = [Row("peers", "w", 2.0, timings=times), Row("peers", "emlp's projector", None)]
    peers_record.update_record(rows, {"command": "c"}, tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["emlp"] == {"rows": ["kept"]}
    assert record["symm-learning"]["rows"][0]["value"] == 2.0
