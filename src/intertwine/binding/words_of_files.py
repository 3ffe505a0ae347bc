"""Errors of ``bind`` in the words of the types file that the user wrote."""

import re
import tomllib
from pathlib import Path
from typing import Any

from intertwine.errors import IntertwineError

# What Python's users write, and what stands for it in a file.
_WORDS = (
    ("a pair (rep_in, rep_out)", '{in = "...", out = "..."}'),
    (" The pair is (rep_in, rep_out).", ""),
    ("iw.Typed(..., over=...)", 'over = "..."'),
    ("(or None)", '(or "")'),
    ("n * G.trivial()", "a count of them such as '5xtrivial'"),
)
_ENTRY = re.compile(r"(?:types|overrides)\['(.*?)'\]")


def in_words_of(path: str | Path, error: IntertwineError) -> IntertwineError:
    r"""An error of ``bind`` that speaks of ``types['0']``, with the file, the key and what stands there.

    Args:
        path: the file that the types were read from.
        error: any error; one that does not speak of ``types``, or of ``overrides``, stays as it is.

    Examples:
        >>> import pathlib, tempfile
        >>> from intertwine.errors import ArgumentError
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "types.toml"
        >>> _ = path.write_text('[modules]\n"0" = {in = "2x1", out = "2x1", space = "standard"}\n')
        >>> error = in_words_of(path, ArgumentError("types['0'].space", expected="nothing", got="1"))
        >>> error.argument.endswith("key modules.'0'.space"), error.got
        (True, "'standard'")
    """
    found = _ENTRY.match(error.argument)
    if found is None and error.argument not in ("types", "overrides"):
        return error
    content = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))

    def key(found: re.Match[str]) -> str:
        return f"key {_table(content, found[1])}.{found[1]!r}"

    rest = "" if found is None else error.argument[found.end() :]
    rest = rest.replace(" (space)", ".space").replace(".rep_", ".")
    got = _ENTRY.sub(key, error.got).replace("None", '""')
    if found is not None:
        entry = content[_table(content, found[1])][found[1]]
        if isinstance(entry, dict) and rest[1:] in entry:
            got = repr(entry[rest[1:]])
    where = f"{path}, {key(found)}" if found else str(path)
    expected, advice = (_ENTRY.sub(key, _worded(text)) for text in (error.expected, f" {error.advice}"))
    return type(error)(where + rest, expected=expected, got=got, advice=advice.strip())


def _table(content: dict[str, Any], name: str) -> str:
    return "modules" if name in content.get("modules", {}) else "parameters"


def _worded(text: str) -> str:
    for python, file in _WORDS:
        text = text.replace(python, file)
    return text
