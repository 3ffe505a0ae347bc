"""Models and checkpoints as a command names them, without the command line."""

import json
import sys

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.diagnostics.command.checked_model import Asked, check_of
from intertwine.diagnostics.command.named_model import load_checkpoint_, named_model
from intertwine.diagnostics.command.reported_model import report_of
from intertwine.diagnostics.command.written import write_numbers

TYPES = """
group = "C4"
[modules]
"0" = {in = "regular", out = "2xregular"}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "nets_by_name.py").write_text(
        "from torch import nn\n"
        "def build():\n    return nn.Sequential(nn.Linear(4, 8))\n"
        "def sized(width):\n    return nn.Linear(width, width)\n"
        "net = nn.Sequential(nn.Linear(4, 8))\n"
        "number = 3\n"
    )
    (tmp_path / "types.toml").write_text(TYPES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("nets_by_name", None)


def test_a_factory_and_a_module_are_found(module):
    assert isinstance(named_model("nets_by_name:build"), nn.Sequential)
    assert named_model("nets_by_name:net") is named_model("nets_by_name:net")


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("nets_by_name", "expected module:factory"),
        ("no_such_module:build", "expected a module in"),
        ("nets_by_name:buid", r"a name in nets_by_name: nn, build, sized, net, number; got 'buid'"),
        ("nets_by_name:sized", r"which needs width\. Write a function that calls it"),
        ("nets_by_name:number", "which gives int"),
    ],
)
def test_what_is_no_model_is_refused(module, spec, match):
    with pytest.raises(iw.errors.ArgumentError, match=match):
        named_model(spec)


def test_a_checkpoint_is_loaded_or_refused(module):
    model, other = named_model("nets_by_name:build"), nn.Sequential(nn.Linear(4, 8))
    torch.save(other.state_dict(), module / "weights.pt")
    load_checkpoint_(model, module / "weights.pt")
    assert torch.equal(model[0].weight, other[0].weight)
    torch.save(nn.Linear(2, 2).state_dict(), module / "wrong.pt")
    (module / "broken.pt").write_bytes(b"no weights")
    for name in ("wrong.pt", "broken.pt", "missing.pt"):
        with pytest.raises(iw.errors.ArgumentError, match=f"checkpoint .*{name}: expected a state dict of this model"):
            load_checkpoint_(model, module / name)


def test_a_report_from_files(module):
    torch.save(nn.Sequential(nn.Linear(4, 8)).state_dict(), module / "weights.pt")
    result = report_of("nets_by_name:build", module / "types.toml", module / "weights.pt")
    assert [entry.name for entry in result.parameters] == ["0.weight", "0.bias"]
    write_numbers(result, module / "report.json")
    assert json.loads((module / "report.json").read_text())["group"] == "C4"
    with pytest.raises(iw.errors.ArgumentError, match="expected a file that can be written"):
        write_numbers(result, module / "no" / "report.json")


@pytest.mark.parametrize(
    ("ins", "example", "message"),
    [
        ("image trivial", "1x1x5x5", "--in: expected 'images REPRESENTATION', 'none', or an irrep of C4"),
        ("images trivial", "2x1x99999x99999", "--example: expected at most 268435456 numbers"),
    ],
)
def test_texts_of_a_check_that_say_nothing_are_refused_by_the_option(ins, example, message):
    with pytest.raises(iw.errors.ArgumentError, match=message):
        check_of(Asked("torch.nn:Identity", "C4", [ins], ["none"], [example]))


@pytest.mark.filterwarnings("ignore::intertwine.IdentityActionWarning")
def test_a_check_of_an_action_that_does_nothing_says_so():
    text = str(check_of(Asked("torch.nn:Identity", "C4", ["4xtrivial"], ["4xtrivial"], ["2x4"])))
    assert "nothing was tested" in text
    assert "error" not in text
