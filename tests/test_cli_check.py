"""``intertwine check``: its options, what it writes, and wrong input as one line with exit code 2."""

import json
import re
import signal
import subprocess
import sys

import pytest

typer_testing = pytest.importorskip("typer.testing")

from intertwine import cli  # noqa: E402

MODELS = """
import sys
import time

import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)).mean((2, 3)))

def build():
    return nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3))

def prints():
    print("made a model")
    return build()

def raises():
    raise RuntimeError("two\\nlines")

def leaves():
    sys.exit("no more")

class Wrong(nn.Module):
    def forward(self, x):
        raise ValueError("no such luck")

class Once(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("once is enough")
        return x

class Slow(nn.Module):
    def forward(self, x):
        print("running", flush=True)
        time.sleep(60)
        return x

class Outside(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.unused = nn.Linear(4, 4), nn.Parameter(torch.ones(3))

    def forward(self, x):
        return torch.vmap(lambda row: row.relu() * row.sum())(self.inner(x))
"""
C4 = ("--group", "C4", "--in", "regular", "--out", "regular")
IMAGES = ("--group", "D4", "--in", "images 3xtrivial", "--out", "none")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "checked_models.py").write_text(MODELS)
    (tmp_path / "junk.pt").write_bytes(b"junk")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "checked_models", raising=False)
    yield tmp_path
    sys.modules.pop("checked_models", None)


def run(*arguments):
    return typer_testing.CliRunner().invoke(cli.application(), ["check", *arguments])


def one_line(result):
    return " ".join(result.output.split())


def test_text_page_and_numbers_say_the_same(folder):
    pytest.importorskip("jinja2")
    result = run("checked_models:Net", *IMAGES, "--size", "16x16", "--html", "page.html", "--json", "numbers.json")
    assert result.exit_code == 0, result.output
    values = json.loads((folder / "numbers.json").read_text())
    page = (folder / "page.html").read_text()
    for key in ("error", "projected_error"):
        text = f"{values[key]['relative_worst']:.2g}"
        assert text in result.output
        assert f'<dd class="value">{text}</dd>' in page
    assert values["verdict"] in one_line(result)
    assert values["breakers"][0]["module"] == "first"
    weight = next(one for one in values["parameters"] if one["name"] == "first.weight")
    residual = f"{weight['relative_residual']:.3f}"
    assert re.search(rf"first.weight +{weight['rank']} of 216 +{residual}", result.output)
    assert f"<span>{residual}</span>" in page


def test_two_runs_say_the_same(folder):
    one, two = (run("checked_models:build", "--group", "C4", "--in", "grid(3, 3)", "--out", "none") for _ in range(2))
    assert one.exit_code == 0, one.output
    assert one.output == two.output
    other = run("checked_models:build", "--group", "C4", "--in", "grid(3, 3)", "--out", "none", "--seed", "1")
    assert other.output != one.output


def test_hidden_features_and_types_by_hand(folder):
    (folder / "types.toml").write_text('group = "C4"\n[modules]\n"0" = {in = "grid(3, 3)", out = "8x0"}\n')
    ends = ("checked_models:build", "--group", "C4", "--in", "grid(3, 3)", "--out", "none")
    ranks = [
        re.search(r"0.weight +(\d+) of 72", run(*ends, *options).output)[1]
        for options in ((), ("--hidden", "trivial"), ("--hidden", "8=regular + 4xtrivial"), ("--types", "types.toml"))
    ]
    assert ranks == ["18", "24", "21", "24"]


def test_strict_ends_with_1_after_all_was_written(folder):
    pytest.importorskip("jinja2")
    found = run("checked_models:Net", *IMAGES, "--size", "16x16", "--strict", "--html", "page.html")
    assert found.exit_code == cli.FOUND
    assert "strict: 1 breaker" in found.output
    assert (folder / "page.html").exists()
    open_ends = run("checked_models:Outside", *C4, "--strict")
    assert open_ends.exit_code == cli.FOUND
    assert "1 untyped parameter, 1 function without a rule" in open_ends.output
    assert run("checked_models:Net", *IMAGES, "--size", "17x17", "--strict").exit_code == 0


def test_what_a_factory_prints_is_not_what_the_command_says(folder):
    command = [sys.executable, "-m", "intertwine.cli", "check", "checked_models:prints", "--group", "C4"]
    command += ["--in", "grid(3, 3)", "--out", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Sequential under C4")
    assert "made a model" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("checked_models:raises", *C4), "got RuntimeError: two lines (checked_models.py:"),
        (("checked_models:leaves", *C4), "got SystemExit: no more (checked_models.py:"),
        (("checked_models:Wrong", *C4), "an example of 2x4: expected what the model takes"),
        (("checked_models:Wrong", *C4), "ValueError: no such luck"),
        (("checked_models:Once", *C4), "got RuntimeError: once is enough (checked_models.py:"),
        (("checked_models:Net", *C4, "--size", "9x9"), "--size: expected images among the --in"),
        (("checked_models:Net", *IMAGES), "--size: expected pixels such as 65x65; got none"),
        (("checked_models:Net", *IMAGES, "--size", "9,9"), "--size: expected pixels such as 65x65; got '9,9'"),
        (("checked_models:Net", *IMAGES, "--size", "9x9", "--example", "2x3x9x9"), "--size: expected nothing beside"),
        (("checked_models:Net", *IMAGES, "--example", "2x4x9x9"), "--example 2x4x9x9: expected"),
        (("checked_models:Net", *IMAGES, "--example", "no.pt"), "got 'no.pt', no such file"),
        (("checked_models:Net", *IMAGES, "--example", "junk.pt"), "got junk.pt: "),
        (("checked_models:build", *C4, "--hidden", "9=regular"), "--hidden: expected 4=regular, by its width"),
        (("checked_models:build", *C4, "--hidden", "regulr"), "--hidden: expected WIDTH=REPRESENTATION, or"),
        (("checked_models:build", *C4, "--types", "no.toml"), "no.toml: expected a TOML file"),
        (("checked_models:build", *C4, "--json", "no/such.json"), "--json: expected a file that can be written"),
        (("checked_models:build", "--group", "Q8", "--in", "none", "--out", "none"), "--group: expected C4"),
        (("checked_models:build", "--group", "C4", "--in", "grid(3, 3)", "--out", "regular"), "--out: expected"),
        (("checked_models:build", "--group", "C4", "--in", "none", "--out", "none"), "--example: expected sides"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(folder, arguments, message):
    result = run(*arguments)
    assert result.exit_code == cli.FAILED, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert message in one_line(result)


def test_ctrl_c_in_the_middle_of_a_check(folder):
    command = [sys.executable, "-m", "intertwine.cli", "check", "checked_models:Slow", *C4]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == cli.INTERRUPTED
    assert "Traceback" not in errors
