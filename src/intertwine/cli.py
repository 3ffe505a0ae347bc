"""The command line: ``intertwine report``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from intertwine.errors import ArgumentError, IntertwineError, missing_extra

# Exit codes: wrong input, and Ctrl-C as shells have it.
FAILED, INTERRUPTED = 2, 130


def main() -> None:
    """Entry point of the command ``intertwine``."""
    run(application)


def run(make: Callable[[], Any]) -> None:
    """Runs a typer application: our errors as one line and exit code 2, Ctrl-C as exit code 130.

    Args:
        make: returns the application.
    """
    try:
        app = make()
    except IntertwineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def application() -> Any:
    """The typer application.

    Raises:
        MissingExtraError: typer is not installed.
    """
    try:
        import typer
    except ModuleNotFoundError as error:
        raise missing_extra("typer", "cli") from error

    app = typer.Typer(
        name="intertwine",
        help="Measures the non-equivariant part of a PyTorch model, exactly and at the level of its weights.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            from intertwine.diagnostics import environment

            typer.echo(f"intertwine {environment()['intertwine']}")
            raise typer.Exit

    @app.callback()
    def _options(
        version: Annotated[
            bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None:
        """Measures the non-equivariant part of a PyTorch model, exactly and at the level of its weights."""

    @app.command("report")
    def _report(
        model: Annotated[
            str,
            typer.Argument(
                metavar="MODULE:FACTORY", help="A module, or a function that returns one, such as models:build."
            ),
        ],
        types: Annotated[
            Path, typer.Option("--types", help="TOML file with the group and the representations.", show_default=False)
        ],
        checkpoint: Annotated[
            Path | None, typer.Option(help="State dict to load first (read with weights_only).")
        ] = None,
        html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
        json: Annotated[Path | None, typer.Option(help="Write the numbers.")] = None,
    ) -> None:
        """Report what each typed parameter of a model violates, beside chance, and what has no type."""
        with plain_errors():
            _run_report(model, types, checkpoint, html, json)

    return app


@contextmanager
def plain_errors() -> Iterator[None]:
    """Our errors as one red line and exit code 2, Ctrl-C as 130; anything else keeps its traceback."""
    import typer

    try:
        yield
    except IntertwineError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.secho("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _run_report(spec: str, types: Path, checkpoint: Path | None, html: Path | None, json: Path | None) -> None:
    import json as json_format

    from intertwine.binding import bind
    from intertwine.binding.types_file import read_types
    from intertwine.diagnostics import report

    # The file is cheap to check and often wrong: before the model, which may take a while to build.
    wanted = read_types(types)
    model = _model(spec)
    if checkpoint is not None:
        _load(model, checkpoint)
    result = report(bind(model, wanted))
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        print(result)
    else:
        Console().print(result)
    with _writing(html):
        if html is not None:
            result.to_html(html)
    with _writing(json):
        if json is not None:
            json.write_text(json_format.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")


def _model(spec: str) -> Any:
    """The module that ``module:factory`` names, from the working directory or the installed packages."""
    import importlib

    from torch import nn

    module_name, colon, attribute = spec.partition(":")
    expected = "module:factory, a function without arguments that returns a torch.nn.Module, or a module itself"
    if not (colon and attribute) or not all(
        part.isidentifier() for part in [*module_name.split("."), *attribute.split(".")]
    ):
        raise ArgumentError("MODULE:FACTORY", expected=expected, got=repr(spec))
    # As `python -m` does it: the user's file need not be installed.
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise
        raise ArgumentError(
            "MODULE:FACTORY", expected=f"a module in {Path.cwd()} or installed", got=repr(module_name)
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = ", ".join(name for name in vars(found) if not name.startswith("_")) or "nothing"
            raise ArgumentError("MODULE:FACTORY", expected=f"a name in {module_name}: {names}", got=repr(part))
        found = getattr(found, part)
    if not isinstance(found, nn.Module) and callable(found):
        _check_takes_nothing(found, spec, expected)
        found = found()
    model = found
    if not isinstance(model, nn.Module):
        raise ArgumentError("MODULE:FACTORY", expected=expected, got=f"{spec}, which gives {type(model).__name__}")
    return model


def _check_takes_nothing(factory: Any, spec: str, expected: str) -> None:
    """Whether a factory can be called without arguments.

    Raises:
        ArgumentError: it cannot; the message names what it needs.
    """
    import inspect

    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not say
        return
    empty, several = inspect.Parameter.empty, (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is empty and p.kind not in several]
    if needed:
        raise ArgumentError(
            "MODULE:FACTORY",
            expected=expected,
            got=f"{spec}, which needs {', '.join(needed)}",
            advice="Write a function that calls it with them.",
        )


def _load(model: Any, path: Path) -> None:
    """A state dict into the model, read without executing anything in it."""
    import pickle
    import struct

    import torch

    expected = "a state dict of this model, as torch.save(model.state_dict(), path) writes it"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
        pickle.UnpicklingError,
        struct.error,
    ) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ArgumentError(f"checkpoint {path}", expected=expected, got=" ".join(reason)[:300]) from error


@contextmanager
def _writing(path: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArgumentError(
            str(path), expected="a file that can be written", got=error.strerror or type(error).__name__
        ) from error


if __name__ == "__main__":
    main()
