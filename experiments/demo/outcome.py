"""What the demo found: rows, verdict and conclusions, and the record that holds them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.comparison.claim import Verdict, claim_lines, judge
from experiments.comparison.selection import Row, rows_by_strength, select
from experiments.comparison.summary import Summary, paired
from experiments.demo.digits_training import METHODS, DigitsSettings, digits_types, initial_network
from experiments.demo.plan import REFERENCE, Plan
from experiments.runs.grid import GridResult
from experiments.runs.record import provenance
from intertwine.binding import bind

LABELS = {name: method.label for name, method in METHODS.items()}
CANDIDATES = ("decay", "penalty")
QUANTITIES = ("test_accuracy", "equivariance_error", "equivariance_error_mean", "relative_residual", "seconds")
DATA_NOTE = """
A fraction f of the digits is turned by 0, 90, 180 or 270 degrees with equal chance: the same f in training, validation
and test digits, exactly round(f * count) of each part. Splits are drawn anew for each seed; within a seed all methods
share split, turns, initial draw and order of batches.
"""
STRENGTH_NOTE = """
Each seed takes the strength with the lowest cross-entropy on its own validation digits, from equally many for each
method that has one. Weight decay is the penalty with s_G = s, that is torch's weight_decay = s: of equal strength on
both parts of W; at the strengths that suit the penalty it stops training, so its own lie lower.
"""
START_NOTE = f"""
From the projected draw, with the norm of each output field kept, start:
{"; ".join(method.label for method in METHODS.values() if method.equivariant_start)}. "plain, equivariant start" is then
trained like plain: it shows what the start alone does.
"""
EXACT_NOTE = """
Exactly equivariant is decay of infinite strength with projected gradients: the training of an equivariant network,
whatever f is.
"""
SAMPLED_NOTE = """
Sampled, operators: s/4 |g.W - W|^2 for one random turn g a step, whose mean is our penalty. Sampled, activations:
s/2 times the mean square of f(g x) - f(x), likewise. They have the penalty's strengths.
"""
COLUMN_NOTE = """
Equivariance error: |f(gx) - f(x)| / |f(x)| over all test digits, for the worst quarter turn. Relative residual:
|W - PW| / |W| over all weights together. Seconds: processor time of training of the chosen run, with one thread;
methods with a strength train once for each.
"""
NOTES = tuple(
    " ".join(note.split()) for note in (DATA_NOTE, STRENGTH_NOTE, START_NOTE, EXACT_NOTE, SAMPLED_NOTE, COLUMN_NOTE)
)


@dataclass(frozen=True)
class Outcome:
    """What the demo found.

    Attributes:
        plan: what was run.
        rows: one for each fraction and method, strengths chosen by validation.
        curves: one for each fraction, method and strength.
        verdicts: one for each method that the claim may be about.
        chance: relative residual of random weights of this network.
        head: where it comes from: command, date, versions, machine.
    """

    plan: Plan
    rows: tuple[Row, ...]
    curves: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    chance: float
    head: Mapping[str, Any]

    def claim(self) -> list[str]:
        """The verdict on the claim in words."""
        return claim_lines(self.verdicts, LABELS, REFERENCE, "f")

    def conclusions(self) -> list[str]:
        """Three sentences, computed."""
        table = {(row.condition, row.method): row for row in self.rows}
        low, high = min(self.plan.fractions), max(self.plan.fractions)
        accuracy = {key: row.values("test_accuracy") for key, row in table.items()}

        def ends(f: float) -> str:
            lead = paired(accuracy[f, "plain"], accuracy[f, "exact"])
            first, second = ("plain", "exact") if lead.mean >= 0 else ("exact", "plain")
            return f"at f = {f:g} {LABELS[first]} is ahead of {LABELS[second]} by {_size(lead)}"

        # Spoken of is the method for which most of the claim holds, and among equals the better one.
        verdict = max(
            self.verdicts,
            key=lambda v: (v.holds, v.holds_by_table, table[REFERENCE, v.method].summary("test_accuracy").mean),
        )
        best = verdict.method
        leads = " and ".join(
            f"{'ahead of' if lead.mean > 0 else 'behind'} {LABELS[end]} by {_size(lead)}"
            for end, lead in verdict.ahead.items()
        )
        behind = max(verdict.comparisons, key=lambda entry: entry.gap.mean)
        worst = (
            "is the best row at every f"
            if behind.gap.mean <= 0
            else f"is nowhere further behind the best row than {_size(behind.gap)} "
            f"(at f = {behind.condition:g}, behind {LABELS[behind.best]})"
        )
        return [
            f"Neither end wins everywhere: {ends(low)}, {ends(high)}."
            if self._crosses(accuracy, low, high)
            else f"The ends of the dial: {ends(low)}, {ends(high)}.",
            f"At f = {REFERENCE:g} {LABELS[best]}, with the strength that validation chose, is {leads}.",
            f"Over the whole dial {LABELS[best]} {worst}; the claim {self._standing(verdict)}.",
        ]

    def record(self) -> dict[str, Any]:
        """Everything, as plain values."""
        settings = DigitsSettings(0.0, 0, "plain", **self.plan.options).to_dict()
        for name in ("fraction", "seed", "method", "strength"):
            del settings[name]
        return {
            "experiment": "demo",
            **self.head,
            "fractions": list(self.plan.fractions),
            "seeds": list(range(self.plan.num_seeds)),
            "strengths": {method: list(values) for method, values in self.plan.strengths.items()},
            "settings": settings,
            "labels": LABELS,
            "notes": list(NOTES),
            "chance": self.chance,
            "claim": {"reference": REFERENCE, "text": self.claim(), "verdicts": [v.to_dict() for v in self.verdicts]},
            "conclusions": self.conclusions(),
            "rows": [
                {"fraction": row.condition, "method": row.method, "strengths": list(row.strengths)}
                | {name: row.summary(name).to_dict() for name in QUANTITIES}
                for row in self.rows
            ],
            "every_strength": [
                {"fraction": row.condition, "method": row.method, "strength": row.strengths[0]}
                | {
                    name: row.summary(name).to_dict(4)
                    for name in ("validation_loss", "test_accuracy", "equivariance_error", "relative_residual")
                }
                for row in self.curves
                if row.strengths[0] is not None
            ],
        }

    def _crosses(self, accuracy: Mapping[tuple[float, str], tuple[float, ...]], low: float, high: float) -> bool:
        leads = [paired(accuracy[f, "plain"], accuracy[f, "exact"]) for f in (low, high)]
        return leads[0].mean > leads[0].standard_error and -leads[1].mean > leads[1].standard_error

    def _standing(self, verdict: Verdict) -> str:
        if verdict.holds:
            return "holds for it with paired standard errors"
        if verdict.holds_by_table:
            return "holds for it with the standard error of the best row, and fails with the smaller paired ones"
        return "does not hold for it"


def _size(difference: Summary) -> str:
    """The size of a difference, without its sign."""
    return Summary(abs(difference.mean), difference.standard_error, ()).text()


def outcome(plan: Plan, result: GridResult, command: str, code: Mapping[str, str]) -> Outcome:
    """Rows, verdicts and record of a finished grid."""
    curves = rows_by_strength(result.runs, "fraction")
    rows = select(curves)
    residuals = bind(initial_network(0, plan.model), digits_types(plan.model)).residuals().values()
    rank, numel = sum(entry.rank for entry in residuals), sum(math.prod(entry.shape) for entry in residuals)
    head = provenance(command, ("scikit-learn",)) | {
        "code": dict(code),
        "wall_seconds": round(result.seconds, 1),
        "workers": result.workers,
        "threads_per_run": 1,
        "trainings": len(result.runs),
        "trainings_from_cache": result.resumed,
        "training_seconds": round(math.fsum(run["seconds"] for _, run in result.runs), 1),
    }
    return Outcome(
        plan,
        tuple(rows),
        tuple(curves),
        tuple(judge(rows, CANDIDATES, REFERENCE)),
        math.sqrt(1 - rank / numel),
        head,
    )
