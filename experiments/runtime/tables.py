"""The tables of the timings."""

from collections.abc import Sequence

from experiments.comparison.tables import Table
from experiments.runtime.findings import (
    LARGEST_L2_MULTIPLE,
    LARGEST_SHARE,
    POSITIONS,
    PRECISIONS,
    SMALLEST_MULTIPLE,
    Findings,
    Sampling,
    Steps,
)
from experiments.runtime.methods import LABELS, SAMPLED
from experiments.runtime.variance import WEIGHTS

NONE = "-"


def headline(found: Findings) -> Table:
    """What each regulariser adds to a step where weights are used often: one line a network."""
    columns = (
        "network",
        "plain step, ms",
        "plain L2",
        "ours, penalty",
        "ours, decay",
        "1 element, activations",
        "1 element, weights",
        "augmentation",
        "Lie derivative",
        "RPP",
        "1 element / ours",
    )
    rows = [
        (
            s.name,
            f"{1e3 * s.plain:.3g}",
            _share(s.share("plain_l2")),
            _judged(s.share("penalty"), LARGEST_SHARE),
            _judged(s.share("decay"), LARGEST_SHARE),
            *(_extra(s.extra(name)) for name in ("sampled_activation@1", "sampled_operator@1")),
            *(_extra(s.extra(name)) for name in ("augmentation", "lie_derivative", "rpp")),
            _multiple(s.element_multiple, at_least=SMALLEST_MULTIPLE),
        )
        for s in found.large
    ]
    title = f"Added to a training step, batch x positions >= {POSITIONS}"
    return Table(title, columns, tuple(rows), breaks=_breaks(found.large))


def small_batches(found: Findings) -> Table:
    """Where a pass over the weights shows: ours beside plain L2."""
    columns = ("network", "batch", "plain step, ms", "plain L2", "ours, penalty", "ours, decay", "penalty / plain L2",
               "1 element / ours")  # fmt: skip
    rows = [
        (
            s.name,
            str(s.settings["batch"]),
            f"{1e3 * s.plain:.3g}",
            *(_share(s.share(name)) for name in ("plain_l2", "penalty", "decay")),
            _multiple(s.l2_multiple, at_most=LARGEST_L2_MULTIPLE),
            _multiple(s.element_multiple),
        )
        for s in found.small
    ]
    return Table("Added to a training step of small batches", columns, tuple(rows), breaks=_breaks(found.small))


def by_difference(found: Findings) -> Table:
    """Ours and plain L2 as differences of whole steps, with quartiles: what a step's own noise leaves to see."""
    names = ("plain_l2", "penalty", "decay")
    columns = ("network", "batch", *(LABELS[name] for name in names), "rounds")
    rows = []
    for s in (*found.large, *found.small):
        cells = []
        for name in names:
            m = s.run["methods"][name]
            cells.append(f"{m['ratio'] - 1:+.1%} ({m['ratio_low'] - 1:+.1%} .. {m['ratio_high'] - 1:+.1%})")
        rounds = str(s.run["methods"]["penalty"]["rounds"])
        rows.append((s.name, str(s.settings["batch"]), *cells, rounds))
    return Table("The same as medians and quartiles of differences of whole steps", columns, tuple(rows))


def by_samples(found: Findings) -> Table:
    """The widest networks over the number of sampled elements."""
    counts = _counts(found.widest)
    columns = ("network", "sampled on", *(f"n = {n}" for n in counts), "penalty")
    rows = []
    for s in found.widest:
        for name in SAMPLED:
            cells = [_extra(s.extra(f"{name}@{n}")) for n in counts]
            rows.append((s.name, LABELS[name].removeprefix("sampled, "), *cells, _share(s.share("penalty"))))
    title = "Added to a step by n sampled elements, the widest networks"
    return Table(title, columns, tuple(rows))


def memory(found: Findings) -> Table:
    """Peak memory of a step, the widest networks."""
    counts = _counts(found.widest)
    sampled = [f"sampled_activation@{n}" for n in counts] + ["sampled_operator@1"]
    names = ["plain_l2", "penalty", "decay", "augmentation", *sampled, "lie_derivative", "rpp"]
    columns = ("network", "plain, MB", *(_column(name) for name in names))
    rows = []
    for s in found.widest:
        plain = s.memory("plain") or 1
        cells = [NONE if (peak := s.memory(name)) is None else f"{peak / plain:.2f} x" for name in names]
        rows.append((s.name, f"{plain / 1e6:.3g}", *cells))
    return Table("Peak memory of a step beyond the model, as a multiple of the plain step's", columns, tuple(rows))


def set_up(found: Findings) -> Table:
    """Set-up of the projectors, beside the dense basis."""
    columns = ("network", "typed weights", "rank", "set-up, ms", "constants", "constants / weights", "dense basis",
               "dense basis / constants", "step with dense basis")  # fmt: skip
    rows = []
    for s in found.large or found.small:
        r = s.run
        dense, constants = r["dense_bytes"], r["constant_bytes"]
        rows.append(
            (
                s.name,
                f"{r['weights']:,}",
                f"{r['rank']:,}",
                f"{1e3 * r['setup_seconds']:.3g}",
                size(constants),
                f"{constants / (4 * r['weights']):.2%}",
                size(dense),
                f"{dense / constants:,.0f} x" if constants else "no constants",
                _extra(s.extra("dense")),
            )
        )
    return Table(
        "Set-up, `bind` and a first penalty, in a fresh process", columns, tuple(rows), breaks=_breaks(found.large)
    )


def sampling(found: Findings) -> Table:
    """What sampling on one weight would cost to match the exact value."""
    columns = (
        "group",
        "weight",
        "c",
        "time of 1 element / ours",
        *(f"{what} {p:.1%}" for p in PRECISIONS for what in ("elements for", "time / ours for")),
        "all elements, time / ours",
    )
    return Table(
        "Sampled penalty on one weight: relative standard deviation c / sqrt(n), and what matching the exact one takes",
        columns,
        tuple(row for s in found.sampling for row in _sampling_rows(s)),
        breaks=frozenset(range(len(WEIGHTS) - 1, len(WEIGHTS) * len(found.sampling), len(WEIGHTS))),
    )


def _sampling_rows(s: Sampling) -> list[tuple[str, ...]]:
    rows = []
    for kind in WEIGHTS:
        costs = [s.cost(kind, precision) for precision in PRECISIONS]
        every = NONE if s.exhaustive is None else f"{s.exhaustive:,.0f} x"
        cells = [text for n, cost in costs for text in (f"{n:,}", f"{cost:,.0f} x")]
        c = f"{s.run['constant'][kind]:.3f}"
        rows.append((s.settings["group"], kind.replace("_", " "), c, f"{s.multiple:.1f} x", *cells, every))
    return rows


def size(count: float) -> str:
    """Bytes in words.

    Examples:
        >>> size(0), size(2048), size(3 * 2**30)
        ('0', '2 KiB', '3 GiB')
    """
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 2**power:
            return f"{count / 2**power:,.3g} {unit}" if count < 1000 * 2**power else f"{count / 2**power:,.0f} {unit}"
    return f"{count:g} bytes" if count else "0"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _judged(value: float, budget: float) -> str:
    return _share(value) + (f" (> {budget:.0%})" if value > budget else "")


def _extra(value: float | None) -> str:
    return NONE if value is None else f"{value:+.0%}"


def _multiple(value: float | None, *, at_least: float = 0.0, at_most: float = float("inf")) -> str:
    if value is None:
        return NONE
    mark = f" (< {at_least:g})" if value < at_least else f" (> {at_most:g})" if value > at_most else ""
    return f"{value:.3g} x{mark}"


def _column(name: str) -> str:
    method, _, count = name.partition("@")
    return LABELS[method] + (f", n = {count}" if count else "")


def _counts(steps: Sequence[Steps]) -> list[int]:
    return sorted({n for s in steps for n in s.settings["samples"]})


def _breaks(steps: Sequence[Steps]) -> frozenset[int]:
    """A line after the last network of each group and kind."""
    return frozenset(i for i, s in enumerate(steps[:-1]) if s.pair != steps[i + 1].pair)
