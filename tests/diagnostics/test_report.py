import builtins
import io
import json
import math
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.diagnostics import plot_report
from intertwine.errors import MissingExtraError, NonFiniteError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def filled(model, seed=0):
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture
def bound():
    """Layers of known kinds; the norm and one bias are left untyped."""
    G = iw.Cyclic(4)
    model = filled(nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)))
    types = {"0": (G.grid(3, 3), 2 * G.regular()), "3.weight": (3 * G.trivial(), 2 * G.regular())}
    return iw.bind(model, types)


@pytest.fixture
def without(monkeypatch):
    """Makes packages impossible to import."""
    real = builtins.__import__

    def missing(*names):
        def refuse(name, *args, **kwargs):
            if name.partition(".")[0] in names:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real(name, *args, **kwargs)

        for loaded in [module for module in sys.modules if module.partition(".")[0] in names]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setattr(builtins, "__import__", refuse)

    return missing


def group_average(W, axes, group):
    """The mean of g.W written out with matrices."""
    total = torch.zeros_like(W)
    for g in group.elements():
        moved = W
        for axis, rep in enumerate(axes):
            moved = torch.tensordot(rep.matrix(g), moved.movedim(axis, 0), 1).movedim(0, axis)
        total += moved
    return total / group.order


def test_numbers_equal_brute_force(bound):
    result = iw.report(bound)
    G = bound.group
    hidden = 2 * G.regular()
    axes = {"0.weight": (hidden, G.grid(3, 3)), "0.bias": (hidden,), "3.weight": (3 * G.trivial(), hidden)}
    assert [entry.name for entry in result.parameters] == list(axes)
    total = missed = 0.0
    for entry in result.parameters:
        W = bound.model.get_parameter(entry.name).detach().double()
        PW = group_average(W, axes[entry.name], G)
        rank = sum(math.prod(float(rep.character(g)) for rep in axes[entry.name]) for g in G.elements()) / G.order
        assert entry.norm == pytest.approx(float(W.norm()), rel=1e-12)
        assert entry.residual == pytest.approx(float((W - PW).norm()), rel=1e-12)
        assert entry.relative_residual == pytest.approx(float((W - PW).norm() / W.norm()), rel=1e-12)
        assert entry.rank == round(rank)
        assert entry.chance == pytest.approx(math.sqrt(1 - rank / W.numel()))
        assert (entry.shape, entry.numel, entry.dtype) == (tuple(W.shape), W.numel(), "float32")
        assert entry.exact
        total += float(W.norm()) ** 2
        missed += float((W - PW).norm()) ** 2
    assert result.relative_residual == pytest.approx(math.sqrt(missed / total), rel=1e-12)
    assert (result.norm, result.residual) == pytest.approx((math.sqrt(total), math.sqrt(missed)), rel=1e-12)


def test_untyped_and_unanalysed_are_listed(bound):
    result = iw.report(bound)
    assert dict(result.unaccounted) == {"2.weight": (8,), "2.bias": (8,), "3.bias": (3,)}
    assert (result.typed_numel, result.unaccounted_numel) == (72 + 8 + 24, 8 + 8 + 3)
    assert [(layer.name, layer.verdict) for layer in result.between] == [("1", "keeps"), ("2", "depends")]
    assert result.unanalysed == ()
    types = {"3.weight": (3 * bound.group.trivial(), 2 * bound.group.regular())}
    result = iw.report(iw.bind(bound.model, types))  # no type reaches them
    unanalysed = [("0", "Linear"), ("1", "ReLU"), ("2", "LayerNorm")]
    assert [(module.name, module.kind) for module in result.unanalysed] == unanalysed
    assert "permutes" in result.unanalysed[1].note
    assert result.between == ()


def test_layers_of_ours_are_not_listed_and_unknown_ones_are():
    G = iw.SO(3)
    rep = G.irreps("4x0 + 2x1")

    class Odd(nn.Module):
        def forward(self, x):
            return x

    model = nn.Sequential(
        nn.Linear(10, 10), iw.nn.NormActivation(rep), Odd(), nn.Dropout(), nn.Identity(), nn.Linear(10, 2)
    )
    result = iw.report(iw.bind(model, {"0": (rep, rep)}))
    assert [(module.name, module.kind, module.note) for module in result.unanalysed] == [
        ("2", "Odd", "unknown"),
        ("5", "Linear", "has parameters without representation"),
    ]


def test_worst_blocks_name_where_the_breaking_was_planted():
    G = iw.SO(3)
    rep = G.irreps("4x0 + 4x1")
    layer = filled(nn.Linear(16, 16, bias=False))
    binding = iw.bind(layer, {"": (rep, rep)}).project_()
    with torch.no_grad():
        layer.weight[:4, 4:] += 0.1
    (entry,) = iw.report(binding).parameters
    assert [(pair.irreps, round(pair.share, 6)) for pair in entry.worst] == [(("0", "1"), 1.0)]
    assert str(entry.worst[0]) == "0 <- 1 100%"
    assert entry.level == "approximate"


def test_rounding_has_no_worst_blocks(bound):
    bound.project_()
    result = iw.report(bound)
    assert all(entry.worst == () and entry.level == "kept" for entry in result.parameters)
    assert result.relative_residual < 1e-6


def test_without_split(bound):
    assert all(entry.worst == () for entry in iw.report(bound, split=False).parameters)


def test_fields_that_do_not_decompose_keep_their_names():
    boost = torch.zeros(1, 2, 2)
    boost[0, 0, 1] = boost[0, 1, 0] = 1
    G = iw.MatrixGroup(lie_algebra=boost)
    layer = filled(nn.Linear(2, 2, bias=False))
    (entry,) = iw.report(iw.bind(layer, {"": (G.defining(), G.defining())})).parameters
    assert entry.worst[0].share == 1
    assert "defining" in entry.worst[0].irreps[0]


def test_free_axes_count_in_the_rank():
    G = iw.Cyclic(4)
    model = filled(nn.Embedding(5, 8))
    (entry,) = iw.report(iw.bind(model, {"weight": (None, 2 * G.regular())})).parameters
    assert (entry.rank, entry.numel, entry.axes) == (10, 40, ("-", "2xregular"))
    assert entry.chance == pytest.approx(math.sqrt(0.75))


@pytest.mark.parametrize("name", ["0.weight", "2.bias"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_weights_are_named(bound, name, value):
    with torch.no_grad():
        bound.model.get_parameter(name)[-1] = value
    with pytest.raises(NonFiniteError, match=f"{name}: expected finite numbers"):
        iw.report(bound)


def test_zero_weights():
    G = iw.Cyclic(4)
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    result = iw.report(iw.bind(layer, {"": (G.regular(), G.regular())}))
    assert result.relative_residual == 0
    assert "relative residual 0 (chance 0.866)" in str(result)


def test_text_with_rich_and_plain(bound, without, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    result = iw.report(bound)
    rich = str(result)
    assert "┃" in rich
    without("rich")
    plain = str(result)
    assert "┃" not in plain
    for text in (rich, plain):
        assert "Equivariance of Sequential under C4" in text
        for word in ("0.weight", "orbit", "0.866", "2.weight (8,)", "1: ReLU", "relative residual"):
            assert word in text


def test_rich_prints_it_in_colours(bound):
    console = pytest.importorskip("rich.console")
    stream = io.StringIO()
    console.Console(file=stream, force_terminal=True, width=140, color_system="standard").print(
        iw.report(bound.project_())
    )
    assert "\x1b[32m" in stream.getvalue()


def test_dict_survives_json(bound):
    values = iw.report(bound).to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["totals"]["typed_numel"] == 104
    assert values["unaccounted"][0] == {"name": "2.weight", "shape": [8]}
    assert values["parameters"][0]["worst"][0]["irreps"]


def test_data_frame(bound):
    pytest.importorskip("pandas")
    result = iw.report(bound)
    frame = result.to_dataframe()
    assert list(frame["name"]) == ["0.weight", "0.bias", "3.weight"]
    assert frame["relative_residual"].tolist() == [entry.relative_residual for entry in result.parameters]


def test_html_is_self_contained(bound, tmp_path):
    pytest.importorskip("jinja2")
    page = iw.report(bound).to_html(tmp_path / "report.html", title="Mine & yours")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    assert page.startswith("<!doctype html>")
    assert "Mine &amp; yours" in page
    assert page.count('class="fill ') == 3
    for outside in ("http://", "https://", "@import", "url("):
        assert outside not in page
    assert all(where.startswith(("data:", "#")) for where in re.findall(r'(?:src|href)="([^"]*)', page))
    for word in ("0.weight", "2.bias", "LayerNorm", "torch "):
        assert word in page


def test_picture(bound, tmp_path):
    pytest.importorskip("matplotlib")
    result = iw.report(bound)
    figure = plot_report(result)
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == [entry.relative_residual for entry in result.parameters]
    figure.savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("package", "use"),
    [("pandas", lambda r: r.to_dataframe()), ("jinja2", lambda r: r.to_html()), ("matplotlib", plot_report)],
)
def test_missing_packages_name_the_extra(bound, without, package, use):
    result = iw.report(bound)
    without(package)
    with pytest.raises(MissingExtraError, match=rf"{package}.*intertwine\[report\]"):
        use(result)


def test_importing_it_pulls_in_nothing_heavy():
    heavy = ("rich", "jinja2", "pandas", "matplotlib", "typer")
    code = f"import sys, intertwine; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
def test_tables_fit_the_terminal_and_keep_names_and_numbers(bound, width):
    console = pytest.importorskip("rich.console")
    stream = io.StringIO()
    console.Console(file=stream, width=width).print(iw.report(bound))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for word in ("0.weight", "3.weight", "relative", "0.866"):
        assert word in text
    assert ("method" in text) == (width >= 120)
