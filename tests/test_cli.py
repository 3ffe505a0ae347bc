import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

typer_testing = pytest.importorskip("typer.testing")

from intertwine import cli  # noqa: E402

TYPES = """
group = "C4"
[modules]
"0" = {in = "grid(3, 3)", out = "2xregular"}
"2" = {in = "2xregular", out = "3xtrivial"}
"""
MODEL = """
import torch
from torch import nn

torch_seed = 3

def build():
    return nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3))

model = build()
number = 7

class Zoo:
    @staticmethod
    def build():
        return build()

def needs(width, depth=2, *rest, **options):
    return nn.Linear(width, width)

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()

def not_a_model():
    return [1]

def ours():
    import intertwine
    return intertwine.Cyclic(0)

def interrupted():
    raise KeyboardInterrupt
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "user_models.py").write_text(MODEL)
    (tmp_path / "types.toml").write_text(TYPES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "user_models", raising=False)
    yield tmp_path
    sys.modules.pop("user_models", None)


def run(*arguments):
    return typer_testing.CliRunner().invoke(cli.application(), list(arguments))


def one_line(result):
    """The error, where wrapping does not matter."""
    return " ".join(result.output.split())


@pytest.mark.parametrize("spec", ["user_models:build", "user_models:model", "user_models:Zoo.build"])
def test_report_on_a_users_model(folder, spec):
    result = run("report", spec, "--types", "types.toml")
    assert result.exit_code == 0, result.output
    for word in ("Equivariance of Sequential under C4", "0.weight", "0.866", "unaccounted: none", "1: ReLU"):
        assert word in result.output


def test_check_of_a_users_model(folder):
    ends = ["--group", "C4", "--in", "grid(3, 3)", "--out", "none", "--example", "4x9"]
    result = run("check", "user_models:build", *ends)
    assert result.exit_code == 0, result.output
    for word in ("Sequential under C4: error", "with equivariant weights", "3 tensors typed, 1 free, 100.0 %"):
        assert word in result.output
    assert "0.weight   18 of 72" in result.output


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--in": "images"}, "--in: expected 'images REPRESENTATION'"),
        ({"--example": "missing.pt"}, "--example: expected sides such as"),
        ({"--group": "Q"}, "group"),
    ],
)
def test_a_check_that_says_nothing_is_refused(folder, changed, message):
    ends = {"--group": "C4", "--in": "grid(3, 3)", "--out": "none", "--example": "4x9", **changed}
    result = run("check", "user_models:build", *(word for pair in ends.items() for word in pair))
    assert result.exit_code == cli.FAILED
    assert message in one_line(result)


def test_report_writes_html_and_json(folder):
    result = run("report", "user_models:build", "--types", "types.toml", "--html", "out.html", "--json", "out.json")
    assert result.exit_code == 0, result.output
    assert (folder / "out.html").read_text().startswith("<!doctype html>")
    values = json.loads((folder / "out.json").read_text())
    assert [entry["name"] for entry in values["parameters"]] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_report_of_a_checkpoint(folder):
    model = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3))
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    torch.save(model.state_dict(), "state.pt")
    result = run(
        "report", "user_models:build", "--types", "types.toml", "--checkpoint", "state.pt", "--json", "out.json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "out.json").read_text())["totals"]["relative_residual"] < 1e-6


def test_checkpoints_are_not_executed(folder):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(folder / "mark"),))

    torch.save({"0.weight": Evil()}, "state.pt")
    result = run("report", "user_models:build", "--types", "types.toml", "--checkpoint", "state.pt")
    assert (result.exit_code, (folder / "mark").exists()) == (2, False)
    assert "checkpoint state.pt: expected a state dict" in one_line(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user_models", "--types", "types.toml"], "MODULE:FACTORY: expected module:factory"),
        (["user_models:", "--types", "types.toml"], "MODULE:FACTORY: expected module:factory"),
        (["user models:x()", "--types", "types.toml"], "MODULE:FACTORY: expected module:factory"),
        (["nowhere_models:x", "--types", "types.toml"], "got 'nowhere_models'"),
        (
            ["user_models:biuld", "--types", "types.toml"],
            "expected a name in user_models: torch, nn, torch_seed, build",
        ),
        (["user_models:number", "--types", "types.toml"], "which gives int"),
        (["user_models:needs", "--types", "types.toml"], "got user_models:needs, which needs width."),
        (["user_models:Net", "--types", "types.toml"], "got user_models:Net, which needs width."),
        (["os:system", "--types", "types.toml"], "got os:system, which needs command."),
        (["torch.nn:Linear", "--types", "types.toml"], "which needs in_features, out_features."),
        (["user_models:not_a_model", "--types", "types.toml"], "which gives list"),
        (["user_models:ours", "--types", "types.toml"], "n: expected"),
        (["user_models:build", "--types", "nowhere.toml"], "nowhere.toml: expected a TOML file; got No such file"),
        (["user_models:build", "--types", "bad.toml"], "bad.toml, key modules.'0'.in: expected"),
        (["user_models:build", "--types", "names.toml"], "names.toml: expected names of modules, parameters"),
        (
            ["user_models:build", "--types", "types.toml", "--checkpoint", "nowhere.pt"],
            "checkpoint nowhere.pt: expected a state dict",
        ),
        (
            ["user_models:build", "--types", "types.toml", "--html", "no/such/folder.html"],
            "--html: expected a file that can be written; got 'no/such/folder.html', whose folder there is not",
        ),
    ],
)
def test_our_errors_are_one_line_and_code_2(folder, arguments, message):
    (folder / "bad.toml").write_text(TYPES.replace("grid(3, 3)", "grud"))
    (folder / "names.toml").write_text(TYPES.replace('"2"', '"5"'))
    result = run("report", *arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert "error: " in result.output
    assert "Traceback" not in result.output
    assert message in one_line(result)


def test_malicious_types_are_not_executed(folder):
    evil = "__import__('os').mkdir('mark')"
    (folder / "evil.toml").write_text(f'group = "{evil}"\n[modules]\n"0" = {{in = "{evil}", out = "{evil}"}}\n')
    result = run("report", "user_models:build", "--types", "evil.toml")
    assert (result.exit_code, (folder / "mark").exists()) == (2, False)


def test_ctrl_c_ends_with_130(folder):
    result = run("report", "user_models:interrupted", "--types", "types.toml")
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_other_peoples_errors_are_one_line_with_their_place_and_whole_with_traceback(folder):
    (folder / "user_models.py").write_text("x = 1\nimport not_installed_anywhere\n")
    result = run("report", "user_models:build", "--types", "types.toml")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    said = "got ModuleNotFoundError: No module named 'not_installed_anywhere' (user_models.py:2). --traceback shows"
    assert said in one_line(result)
    whole = run("report", "user_models:build", "--types", "types.toml", "--traceback")
    assert whole.exit_code == 2
    assert "Traceback" in whole.output
    assert "line 2, in <module>" in whole.output


def test_version_and_help():
    version = run("--version")
    assert version.exit_code == 0
    assert version.output.startswith("intertwine ")
    assert "report" in run("--help").output
    assert run().exit_code in (0, 2)


def test_without_typer_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "pip install 'intertwine[cli]'" in capsys.readouterr().err


def test_as_a_program(folder):
    command = [sys.executable, "-m", "intertwine.cli", "report", "user_models:build", "--types", "types.toml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "0.weight" in found.stdout
    broken = subprocess.run([*command[:-1], "nowhere.toml"], capture_output=True, text=True, check=False)
    assert broken.returncode == 2
    assert broken.stderr.startswith("error: nowhere.toml")
    assert broken.stderr.count("\n") == 1


def test_ctrl_c_of_a_program(folder):
    (folder / "slow.py").write_text(
        textwrap.dedent("""
        import time

        def build():
            print("ready", flush=True)
            time.sleep(60)
        """)
    )
    command = [sys.executable, "-m", "intertwine.cli", "report", "slow:build", "--types", "types.toml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "ready\n"  # what a factory prints is not what the command says
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
