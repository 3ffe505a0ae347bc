"""The command line: ``intertwine report`` and ``intertwine check``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from intertwine.errors import IntertwineError, missing_extra

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

    @app.command("check")
    def _check(
        model: Annotated[
            str,
            typer.Argument(
                metavar="MODULE:FACTORY", help="A module, or a function that returns one, such as models:build."
            ),
        ],
        group: Annotated[str, typer.Option(help="The group, such as D4.", show_default=False)],
        rep_in: Annotated[
            list[str], typer.Option("--in", help="'images 3xtrivial', '2xregular', 'none'; one an input.")
        ],
        rep_out: Annotated[list[str], typer.Option("--out", help="Likewise; one an output.")],
        example: Annotated[
            list[str], typer.Option(help="Sides such as 2x3x65x65, or a .pt file with a tensor; one an input.")
        ],
        checkpoint: Annotated[
            Path | None, typer.Option(help="State dict to load first (read with weights_only).")
        ] = None,
    ) -> None:
        """Say how equivariant a model is, how equivariant it could be, and what breaks it, from one run."""
        with plain_errors():
            from intertwine.diagnostics.command.check_text import check_of

            typer.echo(str(check_of(model, group, rep_in, rep_out, example, checkpoint)))

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
    from intertwine.diagnostics.command.report_files import report_of, write_numbers, write_page

    result = report_of(spec, types, checkpoint)
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        print(result)
    else:
        Console().print(result)
    if html is not None:
        write_page(result, html)
    if json is not None:
        write_numbers(result, json)


if __name__ == "__main__":
    main()
