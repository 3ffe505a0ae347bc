"""What the metal artefacts show, in sentences computed from the rows."""

import math
from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row
from experiments.comparison.summary import paired
from experiments.e2cnn.layers import E2CNN

OURS = ("penalty", "decay")
UNTRAINED = ("uncorrected", "interpolation")

By = Mapping[str, Row]


def conclusions(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """For each condition three sentences: ours against the others, networks against LI-MAR, symmetry and cost."""
    sentences = []
    for condition in dict.fromkeys(str(row.condition) for row in rows):
        by = {row.method: row for row in rows if row.condition == condition}
        found = [_field(by, labels), _classical(by, labels), _symmetry(by, labels)]
        sentences += [f"Networks {condition}: {sentence}" for sentence in found if sentence]
    return sentences


def _field(by: By, labels: Mapping[str, str]) -> str:
    """The better of ours against plain, exact, e2cnn and the best of all others; exact against e2cnn."""
    ours = best(by, OURS)
    if ours is None:
        return ""
    rival = best(by, [method for method in by if method not in (*OURS, *UNTRAINED)])
    names = dict.fromkeys(["plain", "exact", E2CNN, *([] if rival is None else [rival.method])])
    against = [f"{_lead(ours, by[name])} against {labels[name]}" for name in names if name in by]
    if "exact" in by and E2CNN in by:
        against.append(f"{labels['exact']} {_lead(by['exact'], by[E2CNN])} against the network that e2cnn builds")
    which = "" if rival is None else f" ({labels[rival.method]} is the best of all others)"
    return (
        f"the better of ours on the held-out scan is {labels[ours.method]}, {ours.summary('psnr').text(2)} dB; seed by "
        f"seed {'; '.join(against)}{which}."
        if against
        else ""
    )


def _classical(by: By, labels: Mapping[str, str]) -> str:
    """The best network against the correction that nobody trains, scan by scan."""
    network = best(by, [method for method in by if method not in UNTRAINED])
    classical = by.get("interpolation")
    if network is None or classical is None:
        return ""
    differences: dict[str, list[float]] = {}
    for run, a, b in zip(network.runs, network.values("psnr"), classical.values("psnr"), strict=True):
        differences.setdefault(str(run["held_out"]), []).append(a - b)
    scans = ", ".join(f"{name} {math.fsum(d) / len(d):+.2f}" for name, d in differences.items())
    return (
        f"LI-MAR alone has {classical.summary('psnr').text(2)} dB, where the best network, {labels[network.method]}, "
        f"is {_lead(network, classical)}; by held-out scan {scans} dB."
    )


def _symmetry(by: By, labels: Mapping[str, str]) -> str:
    """Equivariance errors, what a turn of the test images costs, and the time of an epoch."""
    shown = [by[name] for name in ("plain", "augmentation", "exact", E2CNN, *OURS) if name in by]
    if not shown or "plain" not in by:
        return ""
    errors = ", ".join(f"{labels[row.method]} {row.summary('equivariance_error').mean:.1e}" for row in shown)
    turned = ", ".join(
        f"{labels[row.method]} {paired(row.values('psnr_turned'), row.values('psnr')).mean:+.2f}" for row in shown
    )
    unit = by["plain"].summary("seconds_per_epoch").mean
    times = ", ".join(
        f"{labels[name]} {by[name].summary('seconds_per_epoch').mean / unit:.2f}"
        for name in ("exact", E2CNN, *OURS, "sampled_operator", "sampled_activation", "remul", "rpp")
        if name in by
    )
    return (
        f"relative equivariance error {errors}; on turned images PSNR changes by {turned} dB; an epoch takes, in "
        f"units of plain's, {times}."
    )


def best(by: By, methods: Sequence[str]) -> Row | None:
    """The row with the highest mean PSNR among some methods; None if there is none."""
    found = [by[method] for method in methods if method in by and math.isfinite(by[method].summary("psnr").mean)]
    return max(found, key=lambda row: row.summary("psnr").mean, default=None)


def _lead(first: Row, second: Row) -> str:
    lead = paired(first.values("psnr"), second.values("psnr"))
    sign = "+" if lead.mean >= 0 else ""
    return f"{sign}{lead.text(2)} dB ({lead.verdict()})"
