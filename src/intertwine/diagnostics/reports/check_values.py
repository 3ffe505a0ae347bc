"""All that the check of a model found, as plain values: its text, its page and its JSON are made of these alone."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from intertwine.binding import Binding
from intertwine.diagnostics.pictures.turning import picture_of
from intertwine.diagnostics.reports.report import Report
from intertwine.groups.element_text import element_text
from intertwine.tracing.calls import TypedCall

# An error of so many tolerances of the dtype is rounding, which adds up from layer to layer.
ROUNDING = 20.0
# Kinds of notes by how they begin; others are "other".
NOTES = {
    "no path": re.compile(r"no path "),
    "forced to trivial": re.compile(r"[\d and]+ features forced to trivial by "),
    "not checked": re.compile(r"not checked|two runs part"),
}


def check_values(
    binding: Binding, error: Mapping[str, Any], projected: Mapping[str, Any] | None, report: Report, share_typed: float
) -> dict[str, Any]:
    """What was found of a model, ready for JSON.

    Args:
        binding: inferred from one run.
        error: of the model as it stands, as ``EquivarianceError.to_dict`` gives it.
        projected: with projected weights; None: not measured.
        report: on the binding.
        share_typed: of the parameters.
    """
    found = binding.inference
    values: dict[str, Any] = {
        "model": report.model,
        "group": report.group,
        "error": dict(error),
        "projected_error": None if projected is None else dict(projected),
        "share_typed": share_typed,
        "totals": report.to_dict()["totals"],
        "parameters": _parameters(binding, report),
        "breakers": [asdict(one) | {"also": list(one.also)} for one in binding.breakers],
        "notes": notes_by_kind(binding.notes),
        "unknown_functions": dict(found.unknown) if found is not None else {},
        "found_functions": list(found.found) if found is not None else [],
        "not_judged": list(found.blind) if found is not None else [],
        "picture": picture_of(binding.group),
        "elements": _elements(binding, error, projected),
        "types": [_call(call) for call in binding.types],
        "environment": dict(report.environment),
    }
    return values | {"verdict": verdict(values)}


def notes_by_kind(notes: Sequence[str]) -> dict[str, list[str]]:
    """Notes of a binding by what they tell.

    Examples:
        >>> list(notes_by_kind(["no path from 1o through 0.weight", "32 features forced to trivial by silu"]))
        ['no path', 'forced to trivial']
    """
    found: dict[str, list[str]] = {kind: [] for kind in (*NOTES, "other")}
    for note in notes:
        found[next((kind for kind, words in NOTES.items() if words.match(note)), "other")].append(note)
    return {kind: texts for kind, texts in found.items() if texts}


def verdict(values: Mapping[str, Any]) -> str:
    """The answer in two sentences."""
    error, projected, breakers = values["error"], values["projected_error"], values["breakers"]
    if not error["tested"]:
        return "Nothing was tested: every element of the group leaves these inputs and outputs as they are."
    rounding = ROUNDING * error["tolerance"]
    now, best = error["relative_worst"], None if projected is None else projected["relative_worst"]
    off = (
        f"As it stands the model's output is off by {error_text(now)} of its size, for the worst element of the group."
    )
    fine = f"As it stands the model is equivariant up to rounding ({error_text(now)})."
    said = [fine if now <= rounding else off]
    if breakers:
        many = len(breakers) > 1
        things = f"{len(breakers)} things outside its weights break" if many else "One thing outside its weights breaks"
        leave = "leave" if many else "leaves"
        left = "" if best is None else f", and {leave} {error_text(best)} whatever the weights are"
        said.append(f"{things} the symmetry{left}.")
    elif best is None:
        said.append("Its weights could not be projected, so that nothing is known of what the architecture allows.")
    elif best > rounding:
        said.append(f"With equivariant weights {error_text(best)} is left, and no call was found to be the cause.")
    elif now > rounding:
        best_text = f"With equivariant weights it is equivariant up to rounding ({error_text(best)})"
        said.append(f"{best_text}: only its weights break the symmetry.")
    if "no path" in values["notes"]:
        said.append("Some features have no path through its weights: see the notes.")
    return " ".join(said)


def error_text(value: float) -> str:
    """An error in two digits, with a power of ten below a thousandth.

    Examples:
        >>> error_text(0.1312), error_text(2.81e-8), error_text(0.0)
        ('0.13', '2.8e-08', '0')
    """
    return f"{value:.2g}" if value >= 1e-3 or value == 0 else f"{value:.1e}"


def _parameters(binding: Binding, report: Report) -> list[dict[str, Any]]:
    """Typed, free and untyped tensors in the order of the run."""
    first: dict[str, int] = {}
    for call in binding.types:
        for name in call.parameters:
            first.setdefault(name, call.place.index)
    typed = {entry.name: entry for entry in report.parameters}
    tensors = dict((*binding.model.named_parameters(), *binding.model.named_buffers()))
    reasons = {} if binding.inference is None else binding.inference.reasons
    rows: list[dict[str, Any]] = []
    for name, entry in typed.items():
        numbers = asdict(entry) | {"axes": list(entry.axes), "shape": list(entry.shape), "level": entry.level}
        numbers["worst"] = [asdict(pair) | {"irreps": list(pair.irreps)} for pair in entry.worst]
        rows.append({"name": name, "state": "typed", **numbers})
    rows += [
        {"name": name, "state": "free", "shape": list(tensors[name].shape), "numel": tensors[name].numel()}
        for name in binding.free
        if name in tensors and name not in typed
    ]
    for name, shape in binding.unaccounted.items():
        rows.append(
            {
                "name": name,
                "state": "not typed",
                "shape": list(shape),
                "numel": math.prod(shape),
                "reason": reasons.get(name, "the run did not use it"),
            }
        )
    for row in rows:
        row["call"] = first.get(row["name"])
    return sorted(rows, key=lambda row: math.inf if row["call"] is None else row["call"])


def _elements(binding: Binding, error: Mapping[str, Any], projected: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The errors of each element; both were measured on the same ones."""
    others = [None] * len(error["elements"]) if projected is None else projected["by_element"]
    texts = [element_text(torch.tensor(matrix, dtype=torch.float64), binding.group) for matrix in error["elements"]]
    return [
        {"text": text, "matrix": matrix, "error": now, "projected_error": best}
        for text, matrix, now, best in zip(texts, error["elements"], error["by_element"], others, strict=True)
    ]


def _call(call: TypedCall) -> dict[str, Any]:
    return {
        "index": call.place.index,
        "module": call.place.module,
        "function": call.place.function,
        "source": call.place.source,
        "inputs": [str(kind) for kind in call.inputs],
        "outputs": [str(kind) for kind in call.outputs],
        "parameters": list(call.parameters),
        "rule": call.rule,
        "reason": call.reason,
    }
