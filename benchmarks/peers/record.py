"""The record of comparisons, one part a library, as each needs an environment of its own."""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.peers.known import PEERS
from benchmarks.peers.peer import Peer
from benchmarks.row import Row, digits

RECORD = Path(__file__).parents[2] / "results" / "bench" / "peers.json"


def update_record(rows: Sequence[Row], header: Mapping[str, object], folder: Path) -> Path:
    """Puts the rows of the peers that were measured into ``peers.json``; other peers' parts stay."""
    path = folder / RECORD.name
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for peer in PEERS:
        measured = [row.as_dict() for row in rows if row.value is not None and peer.name in row.timings]
        if measured:
            versions = {name: importlib.metadata.version(name) for name in peer.versions}
            record[peer.name] = {**header, "versions": versions, "rows": measured}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def recorded_summary(peer: Peer) -> str:
    """What the record says of a peer that is not installed."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if peer.name not in record:
        return "How to install it beside ours: benchmarks/peers/README.md."
    part = record[peer.name]
    ranges = []
    for work in ("building", "projecting"):
        values = [row["value"] for row in part["rows"] if row["work"].startswith(work)]
        ranges.append(f"{work} {digits(min(values))} to {digits(max(values))} x ours")
    return f"Recorded on {part['machine']['date'][:10]} (results/bench/peers.json): {', '.join(ranges)}."
