"""Where experiments find data that is not shipped, and keep data that they generate."""

import os
from pathlib import Path

from intertwine.errors import ArgumentError

# Set by `python -m experiments reproduce --data`; worker processes inherit it.
DATA_VARIABLE = "INTERTWINE_DATA"
CACHE_VARIABLE = "INTERTWINE_CACHE"
SHIPPED = Path(__file__).parents[1] / "data"


def given_data(*parts: str) -> Path | None:
    """The file ``parts`` under the folder that the user named, or None if none was named or it is not there.

    Examples:
        >>> given_data("no such folder", "no such file.npz") is None
        True
    """
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        return None
    path = Path(folder).joinpath(*parts)
    return path if path.is_file() else None


def required_data(*parts: str, advice: str = "") -> Path:
    """The file ``parts`` under the folder that the user named.

    Raises:
        ArgumentError: no folder was named, or it has no such file.
    """
    path = given_data(*parts)
    if path is None:
        folder = os.environ.get(DATA_VARIABLE)
        raise ArgumentError(
            "data",
            expected=f"a folder with {'/'.join(parts)}, by --data or the variable {DATA_VARIABLE}",
            got=f"{folder}, which has none" if folder else "no folder",
            advice=advice,
        )
    return path


def shipped_data(*parts: str) -> Path:
    """A file of ``experiments/data``.

    Raises:
        ArgumentError: there is no such file.
    """
    path = SHIPPED.joinpath(*parts)
    if not path.is_file():
        raise ArgumentError("data", expected=f"experiments/data/{'/'.join(parts)}", got="no such file")
    return path


def generated_folder(name: str) -> Path:
    """The folder in which the experiment ``name`` keeps what it generates; made if it is not there.

    ``$INTERTWINE_CACHE``, else ``~/.cache/intertwine``, and in it a folder ``name``.

    Raises:
        ArgumentError: it cannot be made.
    """
    base = os.environ.get(CACHE_VARIABLE)
    folder = (Path(base) if base else Path.home() / ".cache" / "intertwine") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(
            CACHE_VARIABLE, expected="a folder that can be written to", got=f"{folder} ({error.strerror or error})"
        ) from error
    return folder
