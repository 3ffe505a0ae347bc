"""The record of the table: numbers as CSV, and a page for readers."""

import csv
from collections.abc import Mapping
from pathlib import Path

FIELDS = (
    *("model", "source", "group", "size", "forward_s", "bind_s", "check_s", "typed", "free", "unaccounted"),
    *("share_typed", "unknown", "breakers", "first_breaker", "error", "varies"),
)
PAGE = """# Unmodified models, typed from one run

`python -m benchmarks.models --write results/models`, with the packages of the column `source` installed: random
weights, running statistics of the example, float32, one thread, on a machine that others used too. `bind s` is what
typing takes (two forward passes among it), `check s` what repeating every call on moved arguments takes. `typed` and
`free` count parameters and running statistics; `share typed` is that of the parameters' entries. `breakers` counts
causes outside the weights, of which the first is named, and `error` is that of the whole network with projected
weights. `varies` is how far the output moves, of its size, when the inputs do by a tenth of their spread: an error
below it by as much as rounding is no success if the output hardly moves at all.

"""


def write(folder: Path, row: Mapping[str, object]) -> None:
    """Puts one row into ``table.csv`` in place of the one of the same model, package and size, and the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "table.csv"
    rows: dict[tuple[str, ...], Mapping[str, object]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            rows = {_key(old): old for old in csv.DictReader(file)}
    rows[_key(row)] = row
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, restval="")
        writer.writeheader()
        writer.writerows(rows.values())
    names = [field.replace("_", " ") for field in FIELDS]
    lines = [names, ["---"] * len(names), *([str(row.get(field, "")) for field in FIELDS] for row in rows.values())]
    clean = sum(str(row.get("breakers")) == "0" for row in rows.values())
    failed = sum(str(row.get("first_breaker", "")).startswith("failed") for row in rows.values())
    summary = f"Of {len(rows)} rows {clean} have no breaker, {failed} failed.\n\n"
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    (folder / "README.md").write_text(PAGE + summary + table + "\n", encoding="utf-8")


def _key(row: Mapping[str, object]) -> tuple[str, ...]:
    package = str(row["source"]).split()[0]
    return str(row["model"]), package, str(row["size"])
