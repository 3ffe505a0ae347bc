"""The command line: ``intertwine report`` and ``intertwine check``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import print_exception
from typing import Annotated, Any

from intertwine.errors import IntertwineError, missing_extra

# Exit codes: what --strict finds, wrong input, and Ctrl-C as shells have it.
FOUND, FAILED, INTERRUPTED = 1, 2, 130
MODEL = "A module, or a function that returns one, such as models:build."
CHECKPOINT = "State dict to load first (read with weights_only)."
TRACEBACK = "Show where an error comes from."


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
        model: Annotated[str, typer.Argument(metavar="MODULE:FACTORY", help=MODEL)],
        types: Annotated[
            Path, typer.Option("--types", help="TOML file with the group and the representations.", show_default=False)
        ],
        checkpoint: Annotated[Path | None, typer.Option(help=CHECKPOINT)] = None,
        html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
        json: Annotated[Path | None, typer.Option(help="Write the numbers.")] = None,
        traceback: Annotated[bool, typer.Option("--traceback", help=TRACEBACK)] = False,
    ) -> None:
        """Report what each typed parameter of a model violates, beside chance, and what has no type."""
        with plain_errors(traceback):
            from intertwine.diagnostics.command.reported_model import report_of

            _check_writable(html, json)
            result = report_of(model, types, checkpoint)
            _print(result)
            _write(result, html, json)

    @app.command("check")
    def _check(  # noqa: PLR0913, PLR0917 - the options of a command line
        model: Annotated[str, typer.Argument(metavar="MODULE:FACTORY", help=MODEL)],
        group: Annotated[str, typer.Option(help="The group, such as D4.", show_default=False)],
        rep_in: Annotated[
            list[str], typer.Option("--in", help="'images 3xtrivial', '2xregular', 'none'; one an input.")
        ],
        rep_out: Annotated[list[str], typer.Option("--out", help="Likewise; one an output.")],
        example: Annotated[
            list[str] | None,
            typer.Option(
                help="Sides such as 2x3x65x65, or a .pt file with a tensor; one an input.", show_default=False
            ),
        ] = None,
        size: Annotated[str | None, typer.Option(help="Pixels of made up images, such as 65x65.")] = None,
        hidden: Annotated[
            list[str] | None,
            typer.Option(
                help="What hidden features carry: 'regular', or '64=8xregular' at a width.", show_default=False
            ),
        ] = None,
        types: Annotated[Path | None, typer.Option(help="TOML file with names that are typed by hand.")] = None,
        checkpoint: Annotated[Path | None, typer.Option(help=CHECKPOINT)] = None,
        html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
        json: Annotated[Path | None, typer.Option(help="Write the numbers.")] = None,
        strict: Annotated[
            bool,
            typer.Option("--strict", help="Exit code 1 if anything but weights breaks the symmetry, or is not typed."),
        ] = False,
        seed: Annotated[int, typer.Option(min=0, help="Of weights that the factory draws, and of elements.")] = 0,
        traceback: Annotated[bool, typer.Option("--traceback", help=TRACEBACK)] = False,
    ) -> None:
        """Say how equivariant a model is, how equivariant it could be, and what breaks it, from one run."""
        with plain_errors(traceback):
            from intertwine.diagnostics.command.checked_model import Asked, check_of, faults, text_of

            _check_writable(html, json)
            asked = Asked(model, group, rep_in, rep_out, example or (), size, hidden or (), types, checkpoint, seed)
            found = check_of(asked)
            typer.echo(text_of(found))
            _write(found, html, json)
            wrong = faults(found) if strict else ""
            if wrong:
                typer.secho(f"strict: {wrong}", fg="red", err=True)
                raise typer.Exit(FOUND)

    return app


@contextmanager
def plain_errors(traceback: bool = False) -> Iterator[None]:
    """Our errors as one red line and exit code 2, Ctrl-C as 130; anything else keeps its traceback.

    Args:
        traceback: whether to show where our errors come from, above that line.
    """
    import typer

    try:
        yield
    except IntertwineError as error:
        if traceback:
            print_exception(error)
        typer.secho(f"error: {' '.join(str(error).split())}", fg="red", err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.secho("interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _print(result: Any) -> None:
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        print(result)
    else:
        Console().print(result)


def _check_writable(html: Path | None, json: Path | None) -> None:
    from intertwine.diagnostics.command.written import check_writable

    for path, option in ((html, "--html"), (json, "--json")):
        if path is not None:
            check_writable(path, option)


def _write(result: Any, html: Path | None, json: Path | None) -> None:
    from intertwine.diagnostics.command.written import write_numbers

    if html is not None:
        result.to_html(html)
    if json is not None:
        write_numbers(result, json)


if __name__ == "__main__":
    main()
