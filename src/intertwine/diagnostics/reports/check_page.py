"""The page of a checked model: sections made of the values that its JSON holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from intertwine.diagnostics.pictures.group_error import group_error
from intertwine.diagnostics.pictures.kernel_parts import KernelParts
from intertwine.diagnostics.reports.check_values import error_text
from intertwine.diagnostics.reports.kernel_section import kernel_section
from intertwine.diagnostics.reports.parameter_report import level, number
from intertwine.diagnostics.reports.sections import (
    Bar,
    DrawingSection,
    KeyNumber,
    NumbersSection,
    Quantity,
    Section,
    TableSection,
    TextSection,
)

GUIDE = """
The error is |f(g x) − g f(x)| / |f(x)|: 0 is equivariant, 1e-7 is rounding, 1.4 is what unrelated outputs have. "As it
stands" is the model that was given; "with equivariant weights" is a copy whose weights W were replaced by their
equivariant parts P(W): what the architecture allows, and no training of the weights can remove.

The residual of a weight is |W − P(W)| / |W|, from 0 (equivariant) to 1. Chance is what random weights of this shape and
type have: a residual means something only beside it. Green: kept; amber: below chance; red: at chance.

What breaks the symmetry outside the weights was found by repeating each call of the run on moved arguments, with
equivariant weights. Each entry is a cause by itself: errors of earlier calls do not add up in later ones.

Forced to trivial: features that have to be invariant, as a function that treats each entry by itself, or has no rule,
takes them. No path: features that no equivariant weight takes further; a model that is equivariant as it ignores its
input is no success.

Free: every value of the weight is equivariant, as it acts on copies alone. Not typed: nothing is known of it.

A type such as (2, 1 + y:14*x:14, [48xregular]) has an entry for each axis: 2 samples, a token and 14 by 14 pixels,
which the group moves, and channels that carry 48 regular fields.
"""
NOTES = {
    "no path": "No path",
    "forced to trivial": "Forced to trivial",
    "not checked": "Not checked",
    "other": "Other notes",
}


def check_sections(values: Mapping[str, Any], kernels: Sequence[KernelParts] = ()) -> list[Section]:
    """The sections of the page.

    Args:
        values: as ``check_values`` gives them.
        kernels: to be pictured.
    """
    sections: list[Section] = [NumbersSection("In short", _key_numbers(values)), _breakers(values), _network(values)]
    sections += _over_the_group(values)
    sections += [TextSection(NOTES[kind], texts, bullets=True) for kind, texts in values["notes"].items()]
    sections += _open_ends(values)
    if kernels:
        sections.append(kernel_section(kernels))
    columns = ("#", "module", "function", "types of inputs", "types of outputs", "line")
    calls = [
        (
            one["index"],
            one["module"],
            one["function"],
            ", ".join(one["inputs"]),
            ", ".join(one["outputs"]),
            one["source"],
        )
        for one in values["types"]
    ]
    sections.append(TableSection(f"Types by call ({len(calls)})", columns, calls, folded=True))
    guide = [" ".join(text.split()) for text in GUIDE.strip().split("\n\n")]
    sections.append(TextSection("How to read this page", guide, bullets=True, folded=True))
    return sections


def _key_numbers(values: Mapping[str, Any]) -> list[KeyNumber]:
    error, projected, totals = values["error"], values["projected_error"], values["totals"]
    breakers = values["breakers"]
    count = error["num_elements"]
    elements = f"worst of all {count} elements" if error["exact"] else f"worst of {count} random elements"
    relative, chance = totals["relative_residual"], totals["chance"]
    return [
        KeyNumber("error as it stands", error_text(error["relative_worst"]), elements, _kind(error)),
        KeyNumber(
            "error with equivariant weights",
            "not measured" if projected is None else error_text(projected["relative_worst"]),
            "what the architecture allows",
            "plain" if projected is None else _kind(projected),
        ),
        KeyNumber("residual of the weights", number(relative), f"chance {chance:.3f}", level(relative, chance)),
        KeyNumber(
            "breakers outside the weights",
            str(len(breakers)),
            "each a cause by itself",
            "chance" if breakers else "kept",
        ),
        KeyNumber(
            "of the parameters typed",
            f"{100 * values['share_typed']:.1f} %",
            "or free to take any value",
            "kept" if values["share_typed"] == 1 else "approximate",
        ),
    ]


def _kind(error: Mapping[str, Any]) -> str:
    return "kept" if error["relative_worst"] <= 20 * error["tolerance"] else "chance"


def _breakers(values: Mapping[str, Any]) -> Section:
    title = "What breaks the symmetry outside the weights"
    if not values["breakers"]:
        return TextSection(title, ["Nothing was found: every call of the run commutes with the group."])
    columns = ("module", "function", "error", "why, and what to do", "line", "#")
    rows = [
        (
            one["module"] or "(the model itself)",
            one["function"],
            Quantity(error_text(one["error"]), one["error"]),
            ". ".join(part for part in (one["reason"], _also(one)) if part) or "the cause is not known",
            one["source"],
            Quantity(str(one["index"]), one["index"]),
        )
        for one in values["breakers"]
    ]
    note = (
        "The error is that of the call by itself, on exact images of its arguments, with equivariant weights. # is "
        "its number in the table of types by call."
    )
    return TableSection(title, columns, rows, (note,))


def _also(one: Mapping[str, Any]) -> str:
    return f"With it: {', '.join(one['also'])}" if one["also"] else ""


def _network(values: Mapping[str, Any]) -> Section:
    """Every parameter in the order of the run."""
    columns = ("parameter", "#", "acts on", "shape", "rank / numel", "|W|", "residual", "chance", "worst blocks")
    rows = [_row(one) for one in values["parameters"]]
    totals = values["totals"]
    total = (
        f"All typed weights together: residual {number(totals['relative_residual'])}, chance {totals['chance']:.3f}. "
        "# is the first call of the run that uses the parameter. The bar is |W − P(W)| / |W| from 0 to 1, the tick "
        "the chance level, where random weights stand; green: kept, amber: below chance, red: at chance."
    )
    return TableSection("The network in order", columns, rows, (total,))


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    call = "" if one["call"] is None else Quantity(str(one["call"]), one["call"])
    shape = "×".join(map(str, one["shape"])) or "one number"
    if one["state"] != "typed":
        said = "any value is equivariant" if one["state"] == "free" else f"not typed: {one['reason']}"
        return (one["name"], call, said, shape, "", "", "", "", "")
    relative, chance = one["relative_residual"], one["chance"]
    worst = ", ".join(f"{' ← '.join(pair['irreps'])} {pair['share']:.0%}" for pair in one["worst"])
    acts = " ← ".join(one["axes"])
    return (
        one["name"],
        call,
        acts if one["exact"] else f"{acts} (not exact: {one['reason']})",
        shape,
        Quantity(f"{one['rank']}\u00a0/\u00a0{one['numel']}", one["rank"] / max(1, one["numel"])),
        Quantity(f"{one['norm']:.3g}", one["norm"]),
        Bar(number(relative), relative, chance, one["level"]),
        Quantity(f"{chance:.3f}", chance),
        worst,
    )


def _over_the_group(values: Mapping[str, Any]) -> list[Section]:
    elements = values["elements"]
    drawings = group_error(values["picture"], elements)
    error = values["error"]
    exact = f"All {len(elements)} elements" if error["exact"] else f"{len(elements)} random elements"
    note = f"{exact} of {values['group']}; |f(g x) − g f(x)| / |f(x)|, of the worst output."
    sections: list[Section] = [DrawingSection("Error over the group", drawings, (note,))] if drawings else []
    most = max((one[key] or 0.0 for one in elements for key in ("error", "projected_error")), default=0.0)

    def bar(value: float | None, kind: str) -> object:
        return "" if value is None else Bar(error_text(value), value / most if most else 0.0, kind=kind)

    rows = [(one["text"], bar(one["error"], "approximate"), bar(one["projected_error"], "kept")) for one in elements]
    columns = ("element", "as it stands", "with equivariant weights")
    title = "Error of each element" if drawings else "Error over the group"
    return [*sections, TableSection(title, columns, rows, () if drawings else (note,), folded=bool(drawings))]


def _open_ends(values: Mapping[str, Any]) -> list[Section]:
    """What has no type, and what could not be judged."""
    open_ones = [one for one in values["parameters"] if one["state"] == "not typed"]
    found: list[Section] = []
    if open_ones:
        tensors = [(one["name"], "×".join(map(str, one["shape"])), one["reason"]) for one in open_ones]
        note = f"{sum(one['numel'] for one in open_ones)} weights have no type: nothing above speaks of them."
        found.append(TableSection("Unaccounted", ("tensor", "shape", "why"), tensors, (note,)))
    else:
        found.append(TextSection("Unaccounted", ["Nothing: every parameter is typed, or free to take any value."]))
    unknown = values["unknown_functions"]
    if unknown:
        note = "Their results were taken to have the type of an argument of their shape, and were judged like others."
        found.append(TableSection("Functions without a rule", ("function", "calls"), list(unknown.items()), (note,)))
    if values["found_functions"]:
        found.append(TextSection("Functions whose type was found by values", values["found_functions"], bullets=True))
    if values["not_judged"]:
        found.append(TextSection("Calls that could not be judged", values["not_judged"], bullets=True))
    return found
