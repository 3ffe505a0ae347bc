"""Malformed command lines: models, types files, checkpoints and options drawn wrong."""

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.attack.outcome import NAMED, RAW, SILENT, SLOW, Outcome, TooSlow, limited

TYPES = """
group = "C4"
[representations]
legs = {permutation = [1, 0]}
[modules]
"0" = {in = "grid(3, 3)", out = "2xregular"}
"2" = {in = "2xregular", out = "3xtrivial"}
"""
MODEL = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3))

def needs(width): return build()
def keyword(*, width): return build()
class Net(nn.Module):
    def __init__(self, width): super().__init__()
def meta():
    with torch.device("meta"): return build()
def nan():
    net = build()
    nn.init.constant_(net[0].weight, float("nan"))
    return net
def nothing(): pass
def another(): return nn.Linear(2, 2)
def lazy(): return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3))
def half(): return build().half()
def sequence(): return [build()]
class Call:
    def __call__(self, width): return build()
made, scripted = Call(), torch.jit.script(nn.ReLU())
number, text, klass, words = 7, "x", nn.Linear, [1]
"""
MODELS = (
    "attacked",
    "attacked:",
    ":build",
    "",
    "attacked:needs",
    "attacked:keyword",
    "attacked:Net",
    "attacked:meta",
    "attacked:nan",
    "attacked:nothing",
    "attacked:another",
    "attacked:lazy",
    "attacked:number",
    "attacked:text",
    "attacked:klass",
    "attacked:words",
    "attacked:sequence",
    "attacked:made",
    "attacked:scripted",
    "attacked.build:x",
    "attacked:build ",
    "attacked:build\n",
    "attacked:Call",
    "attacked:build.x",
    "attacked:build:again",
    "nowhere:build",
    "os:system",
    "os:getcwd",
    "os.path:join",
    "torch.nn:Linear",
    "torch:Tensor",
    "math:pi",
    "math:sqrt",
    "builtins:print",
    "attacked :build",
    "attacked:__doc__",
    "é:ü",
    "..:x",
)
REPLACED = (
    ("C4", "C0"),
    ("C4", "C99999"),
    ("C4", "SO(4)"),
    ("C4", "SO(3)"),
    ("C4", ""),
    ("C4", "C4 *"),
    ("C4", "Mirror(q)"),
    ('"C4"', "4"),
    ('"C4"', "[1]"),
    ("group", "grup"),
    ("grid(3, 3)", "grid()"),
    ("grid(3, 3)", "grid(3, 4)"),
    ("grid(3, 3)", "grid(999999, 999999)"),
    ("grid(3, 3)", "grid(3.0, 3)"),
    ("2xregular", "-2xregular"),
    ("2xregular", "99999999999999999999xregular"),
    ("2xregular", "2x"),
    ("2xregular", "regular x 2"),
    ("2xregular", ""),
    ("3xtrivial", "3xlegs"),
    ("3xtrivial", "3xarms"),
    ("[1, 0]", "[1, 1]"),
    ("[1, 0]", "[1.5, 0]"),
    ("[1, 0]", '["a"]'),
    ("[1, 0]", "[]"),
    ("[1, 0]", "[[[1]]]"),
    ("[1, 0]", "{}"),
    ("[1, 0]", "[1, 0], signs = 3"),
    ("[1, 0]", "[inf, nan]"),
    ("[1, 0]", "[1, 2, 0]"),
    ("permutation =", "permutaton ="),
    ("legs", "regular"),
    ("[modules]", "[[modules]]"),
    ("[modules]", "[module]"),
    ("in =", "inn ="),
    ('out = "2xregular"', "out = 3"),
    ('"0" =', '"7" ='),
    ('"2" =', '"0" ='),
    ("{in", '{space = "0", in'),
    ("{in", '{hidden = "0", in'),
    ("}", ""),
    ('"', "'"),
    ("group", "\x00"),
    ("C4", "C4\u00e9"),
    ("group", "\ufeff\ufeffgroup"),
    ("{in", '{over = "q", in'),
    ("{in", "{over = 3, in"),
    ("{in", '{over = {irreps = "0", basis = "e3nn"}, in'),
    ("{in", '{basis = "e3x", in'),
    ('"grid(3, 3)"', '{irreps = "9x0", basis = "e3x"}'),
    ('"grid(3, 3)"', '{irreps = "9x0", layout = "xx"}'),
    ('"grid(3, 3)"', "{irreps = 9}"),
    ('"grid(3, 3)"', '{irreps = "9x0", signs = [1]}'),
    ('"grid(3, 3)"', "{irreps = []}"),
    ("grid(3, 3)", "permutation[0,,1]"),
    ("grid(3, 3)", "permutation[]"),
    ("grid(3, 3)", "permutation[1, 0"),
    ("grid(3, 3)", "permutation[0, 1; 1, 0]"),
    ("grid(3, 3)", "permutation[99999999999999999999]"),
    ("grid(3, 3)", "grid(3; 3)"),
    ("[1, 0]", "[1, 0], signs = [1]"),
    ("[1, 0]", "[[1, 0], [0, 1]]"),
    ("[1, 0]", "1979-05-27"),
    ("[1, 0]", "[1, 0], index_map = [1, 0]"),
)


def command_lines(seed: int, count: int) -> Iterator[Outcome]:
    """``count`` malformed command lines; a run that ends well, or in a traceback, is a fault."""
    from typer.testing import CliRunner

    from intertwine import cli

    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name), _path():
        folder = Path(name)
        (folder / "attacked.py").write_text(MODEL)
        (folder / "types.toml").write_text(TYPES)
        (folder / "junk.pt").write_bytes(b"junk")
        (folder / "wide.toml").write_text(TYPES, encoding="utf-16")
        for _ in range(count):
            arguments = _arguments(rng, folder)
            call = " ".join(arguments)
            if "wrong.toml" in arguments:
                call += " with " + " ".join((folder / "wrong.toml").read_text().split())
            try:
                with limited():
                    result = CliRunner().invoke(cli.application(), arguments)
            except TooSlow:
                yield Outcome("intertwine", call, SLOW, "")
                continue
            said = " ".join(result.output.split())
            if isinstance(result.exception, TooSlow):
                yield Outcome("intertwine", call, SLOW, "")
            elif result.exit_code == 0:
                yield Outcome("intertwine", call, SILENT, said[:100])
            elif isinstance(result.exception, SystemExit) and "Traceback" not in said:
                yield Outcome("intertwine", call, NAMED, said)
            else:
                yield Outcome("intertwine", call, RAW, repr(result.exception)[:150])


@contextlib.contextmanager
def _path() -> Iterator[None]:
    kept = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = kept
        sys.modules.pop("attacked", None)


def _arguments(rng: random.Random, folder: Path) -> list[str]:
    kind = rng.random()
    if kind < 0.35:
        return ["report", rng.choice(MODELS), "--types", "types.toml"]
    if kind < 0.8:
        old, new = rng.choice(REPLACED)
        (folder / "wrong.toml").write_text(TYPES.replace(old, new, 1))
        return ["report", "attacked:build", "--types", "wrong.toml"]
    wrong = rng.choice(
        (
            ["--checkpoint", "junk.pt"],
            ["--checkpoint", "nowhere.pt"],
            ["--checkpoint", "types.toml"],
            ["--checkpoint", str(folder)],
            ["--html", "no/such/folder.html"],
            ["--html", str(folder)],
            ["--json", "no/such/folder.json"],
            ["--json", str(folder)],
            ["--types", "nowhere.toml"],
            ["--types", str(folder)],
            ["--types", "junk.pt"],
            ["--types", os.devnull],
            ["--types", "wide.toml"],
            ["--no-such-option"],
            ["--types"],
            ["one too many"],
        )
    )
    if rng.random() < 0.2:
        return rng.choice(
            (["reprot"], ["reproduce", "nothing"], ["reproduce"], ["demo", "--model", "nothing"], ["report"])
        )
    return ["report", "attacked:build", "--types", "types.toml", *wrong]
