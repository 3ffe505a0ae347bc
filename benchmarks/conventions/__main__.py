"""``python -m benchmarks.conventions``: measure the installed packages, compare with the record and the guide page.

Packages that are not installed keep their recorded row, with its version and date. With ``--write`` what was measured
goes to the record (which the tests replay), and the table to the page. Without, the exit status is 1 if anything
differs.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conventions import quaternions
from benchmarks.conventions.probes import PROBES, installed
from benchmarks.conventions.table import markdown

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "tests" / "data" / "conventions.json"
PAGE = ROOT / "docs" / "guide" / "whose-harmonics.md"


def main() -> int:
    """Returns 0 if all is as recorded, or was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conventions", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="update the record and the page")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"harmonics": {}, "quaternions": {}}
    changed = False
    for part, probes in (("harmonics", PROBES), ("quaternions", quaternions.PROBES)):
        known = record[part]
        for name, (distribution, probe) in probes.items():
            version = installed(distribution)
            if version is None:
                when = f"recorded {known[name]['version']}, {known[name]['date']}" if name in known else "no record"
                print(f"{name}: {distribution} is not installed ({when})")
                continue
            entry = {"version": version, "date": f"{datetime.now(UTC):%Y-%m-%d}", **probe()}
            same = name in known and alike(entry, known[name])
            print(f"{name}: {version}, {'as recorded' if same else 'NOT as recorded'}", flush=True)
            if not same:
                changed = True
                known[name] = entry
        record[part] = {name: known[name] for name in probes if name in known}
    page = PAGE.read_text()
    updated = between(page, "harmonics", markdown(record["harmonics"]))
    updated = between(updated, "quaternions", quaternions.markdown(record["quaternions"]))
    if updated != page:
        print(f"{PAGE.relative_to(ROOT)}: the tables {'change' if options.write else 'are NOT those of the record'}")
    if options.write:
        RECORD.write_text(json.dumps(record, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n")
        PAGE.write_text(updated)
        return 0
    return int(changed or updated != page)


def alike(new: Any, old: Any) -> bool:
    """Whether two entries are the same but for the date and rounding."""
    if isinstance(new, dict):
        return isinstance(old, dict) and all(alike(v, old.get(k)) for k, v in new.items() if k != "date")
    if isinstance(new, list | tuple):
        a, b = np.asarray(new, dtype=object), np.asarray(old, dtype=object)
        if a.shape != b.shape:
            return False
        try:
            return bool(np.abs(a.astype(float) - b.astype(float)).max(initial=0.0) < 1e-6)
        except (TypeError, ValueError):
            return all(alike(x, y) for x, y in zip(new, old, strict=True))
    return bool(new == old)


def between(page: str, name: str, table: str) -> str:
    """The page with the table between its two comments replaced."""
    start, end = f"<!-- {name}: python -m benchmarks.conventions --write -->\n", f"\n<!-- end of {name} -->"
    head, _, rest = page.partition(start)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE}: no place for the table {name!r}")
    return f"{head}{start}\n{table}\n{found}{tail}"


if __name__ == "__main__":
    sys.exit(main())
