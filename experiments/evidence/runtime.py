"""The part of the page of evidence that is about cost: the tables of the record of ``runtime``."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.tables import Table


def runtime_section(record: Mapping[str, Any] | None) -> list[str]:
    """What a step, a layer's constants and sampling cost; empty without a record."""
    if record is None:
        return []
    parts = ["## Cost per layer and per step, for finite and continuous groups"]
    parts.append(f"[runtime](../../results/runtime/README.md) (`{record['command']}`)")
    parts.append("\n".join(f"* {sentence}" for sentence in record["conclusions"]))
    for entry in record["tables"]:
        table = Table(entry["title"], tuple(entry["columns"]), tuple(tuple(row) for row in entry["rows"]))
        parts += [f"### {table.title}", table.to_markdown()]
    parts += [f"![{picture['caption']}](../../results/runtime/{picture['name']})" for picture in record["pictures"]]
    return parts
