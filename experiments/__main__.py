"""The command line of the laboratory: ``python -m experiments demo | reproduce | evidence``, from a clone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from intertwine.cli import plain_errors, run
from intertwine.errors import ArgumentError, missing_extra


def main() -> None:
    """Entry point of ``python -m experiments``."""
    run(application)


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
        name="experiments",
        help="The demo, the experiments of the evidence, and the pages written from their records.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.command("demo")
    def _demo(
        full: Annotated[
            bool, typer.Option("--full", help="Every fraction, strength and seed, as in the committed record.")
        ] = False,
        model: Annotated[str, typer.Option(help="The network: mlp or cnn.")] = "mlp",
        out: Annotated[
            Path | None, typer.Option(help="Folder for tables, pictures and records; runs/demo or runs/demo-cnn.")
        ] = None,
        fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier run left there.")] = False,
        workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core if not given.")] = None,
        smoke: Annotated[
            bool, typer.Option("--smoke", help="Seconds instead of minutes: shows that it runs, measures nothing.")
        ] = False,
    ) -> None:
        """Handwritten digits with a dial for symmetry breaking: plain, equivariant and approximate networks."""
        with plain_errors():
            with _extra("demo"):
                from experiments.checked_transformer import check_transformer
                from experiments.demo import demo
            code = demo.main(model=model, full=full, out=out, fresh=fresh, workers=workers, smoke=smoke)
            if not code:
                folder = Path("runs") / ("demo" if model == "mlp" else f"demo-{model}")
                typer.echo(check_transformer(folder if out is None else out))
        raise typer.Exit(code or 0)

    @app.command("reproduce")
    def _reproduce(  # noqa: PLR0913, PLR0917 - the options of a command line
        name: Annotated[str | None, typer.Argument(help="The experiment; see --list.", show_default=False)] = None,
        size: Annotated[str, typer.Option(help="cpu (the committed records) or full (for an accelerator).")] = "cpu",
        smoke: Annotated[bool, typer.Option("--smoke", help="Seconds: shows that it runs, measures nothing.")] = False,
        seeds: Annotated[int | None, typer.Option(min=1, help="So many seeds, from 0.", show_default=False)] = None,
        device: Annotated[str, typer.Option(help="Where to train: cpu, cuda, cuda:1.")] = "cpu",
        data: Annotated[
            Path | None, typer.Option(help="Folder with data sets that are not shipped.", show_default=False)
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder for all that is written; runs/NAME-SIZE.", show_default=False)
        ] = None,
        workers: Annotated[
            int | None, typer.Option(min=1, help="Processes; one per core if not given.", show_default=False)
        ] = None,
        fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier run left there.")] = False,
        everything: Annotated[bool, typer.Option("--all", help="Every experiment, one after the other.")] = False,
        stale: Annotated[
            bool, typer.Option("--stale", help="Every experiment whose record in results/ is missing or of other code.")
        ] = False,
        stamped: Annotated[
            bool,
            typer.Option("--stamp", help="Repeat runs of a record, --seeds a method; fresh if they give it."),
        ] = False,
        listed: Annotated[bool, typer.Option("--list", help="Show the experiments.")] = False,
    ) -> None:
        """Run the experiments of the evidence: all methods beside each other, cached, resumable."""
        with plain_errors(), _extra("demo"):
            from experiments.runs import reproduce

            if listed:
                raise typer.Exit(reproduce.list_experiments())
            chosen: dict[str, Any] = {
                "size": "smoke" if smoke else size,
                "seeds": seeds,
                "device": device,
                "data": data,
                "workers": workers,
                "fresh": fresh,
            }
            if (name is None) != (everything or stale):
                raise ArgumentError(
                    "NAME",
                    expected="the name of one experiment, or --all or --stale instead",
                    got="both" if name else "neither",
                    advice="--list shows the names.",
                )
            if stamped:
                if name is None:
                    raise ArgumentError("--stamp", expected="one experiment, by its name", got="several")
                from experiments.runs.stamp import stamp

                raise typer.Exit(stamp(name, seeds=seeds or 1, data=data))
            if name is not None:
                raise typer.Exit(reproduce.main(name, out=out, **chosen))
            if out is not None:
                raise ArgumentError("--out", expected="one experiment, by its name", got="several")
            raise typer.Exit(reproduce.run_all(stale=stale, **chosen))

    @app.command("evidence")
    def _evidence() -> None:
        """Write docs/evidence from the records under results/ of this checkout."""
        with plain_errors():
            from experiments.evidence.page import write_page

            if not (Path.cwd() / "results").is_dir():
                raise ArgumentError("the working directory", expected="a checkout with results/", got=str(Path.cwd()))
            typer.echo(str(write_page(Path.cwd())))

    return app


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """A package that is missing inside as the error that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "intertwine":
            raise missing_extra(error.name, name) from error
        raise


if __name__ == "__main__":
    main()
