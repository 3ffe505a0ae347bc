import pytest

typer_testing = pytest.importorskip("typer.testing")

from experiments.__main__ import application  # noqa: E402
from experiments.demo import demo  # noqa: E402


def run(*arguments):
    return typer_testing.CliRunner().invoke(application(), list(arguments))


def test_demo_passes_its_options_on(monkeypatch):
    seen = {}

    def main(**options):
        seen.update(options)
        return 3

    monkeypatch.setattr(demo, "main", main)
    result = run("demo", "--smoke", "--workers", "2", "--out", "somewhere", "--fresh")
    assert result.exit_code == 3, result.output
    assert {name: str(value) for name, value in seen.items()} == {
        "model": "mlp",
        "full": "False",
        "out": "somewhere",
        "fresh": "True",
        "workers": "2",
        "smoke": "True",
    }


def test_demo_without_its_packages_names_the_extra(monkeypatch):
    real = __import__

    def refuse(name, *args, **kwargs):
        if name == "experiments.demo":
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("builtins.__import__", refuse)
    result = run("demo", "--smoke")
    assert result.exit_code == 2
    assert "intertwine[demo]" in " ".join(result.output.split())


def test_help_lists_the_commands():
    shown = run("--help").output
    assert all(name in shown for name in ("demo", "reproduce", "evidence"))


def test_the_demo_ends_with_a_check_of_a_transformer(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "main", lambda **options: 0)
    result = run("demo", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "torch.nn.Transformer under a mirror (checked in" in said
    assert "184 tensors typed, 0 free, 100.0 % of the parameters" in said
    assert "only its weights break the symmetry" in said
    assert "Equivariance of torch.nn.Transformer under a mirror" in (tmp_path / "check.html").read_text()
