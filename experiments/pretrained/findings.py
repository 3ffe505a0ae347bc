"""What the runs say: tables and conclusions, computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.comparison.summary import summarise
from experiments.comparison.tables import Table
from experiments.pretrained.data import TURNS
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run

# Seeds from here on choose strengths; the record's own are below.
CHOOSING = 100
SLOTS = {"none": "no penalty", "channel order": "penalty, channel order", "fitted": "penalty, fitted"}
# Layers of more entries than this are told of in the conclusions.
LARGE = 100


@dataclass(frozen=True)
class Findings:
    """Runs by kind."""

    trained: Sequence[tuple[Settings, Run]]
    faces: Sequence[tuple[Settings, Run]]
    tuned: Sequence[tuple[Settings, Run]]

    @classmethod
    def of(cls, runs: Sequence[tuple[Settings, Run]]) -> "Findings":
        """Sorted by the kind in the settings."""
        return cls(*([pair for pair in runs if pair[0]["kind"] == kind] for kind in ("trained", "faces", "tuned")))

    # -- trained digits -----------------------------------------------------------------------------

    def trained_tables(self) -> list[Table]:
        """Accuracies, and residuals beside chance by group."""
        if not self.trained:
            return []
        columns = ("trained on", "upright", "one turn", "two", "three", "on its own digits")
        rows = []
        for name in self.trainings():
            runs = self.runs_of(name)
            right = [[run["accuracy"][k] for run in runs] for k in range(4)]
            own = [run["own_accuracy"] for run in runs]
            rows.append((name, *(_mean(values) for values in (*right, own))))
        tables = [Table("Accuracy of the networks, mean over seeds ± standard error", columns, tuple(rows))]
        return tables + [self._residuals(group) for group in self.trained[0][1]["fits"]]

    def _residuals(self, group: str) -> Table:
        rows = []
        names = [w["name"] for w in self.trained[0][1]["fits"][group]["weights"] if "weight" in w["name"]]
        for training in self.trainings():
            fits = [run["fits"][group] for run in self.runs_of(training)]
            cells = []
            for name in names:
                own = [_weight(fit, name)["residual"] for fit in fits]
                chance = [_weight(fit, name)["chance"] for fit in fits]
                cells.append(f"{_mean(own)} / {np.mean(chance):.3f}")
            order = [_weight(fit, names[1])["unfitted"] for fit in fits]
            share = [fit["unknowns"][1]["admissible"] for fit in fits]
            luck = [fit["unknowns"][1]["admissible_chance"] for fit in fits]
            error = [fit["error"] for fit in fits]
            rows.append(
                (
                    training,
                    _mean(error),
                    *cells,
                    f"{np.mean(order):.3f}",
                    f"{np.mean(share):.2f} / {np.mean(luck):.2f}",
                )
            )
        columns = (
            "trained on",
            "network's error",
            *(f"{name.removesuffix('.weight')}" for name in names),
            "second layer as channels lie",
            "admissible cycles",
        )
        return Table(
            f"{group}: relative residual of each layer after the fit / chance of the fit", columns, tuple(rows)
        )

    def trainings(self) -> list[str]:
        """Those that there are runs of, in order."""
        return [name for name in TURNS if self.runs_of(name)]

    def runs_of(self, training: str) -> list[Run]:
        """By seed."""
        return [run for settings, run in self.trained if settings["training"] == training]

    # -- faces --------------------------------------------------------------------------------------

    def faces_table(self) -> list[Table]:
        """Each layer of each network, rescaled or not."""
        rows = [
            (
                f"{settings['network']}, {form}",
                weight["name"].removesuffix(".weight"),
                f"{weight['residual']:.3f}",
                f"{weight['chance']:.3f} ± {weight['chance_spread']:.3f}",
                f"{weight['unfitted']:.3f}",
                f"{weight['chance_of_type']:.3f}",
            )
            for settings, run in self.faces
            for form, fit in run["fits"].items()
            for weight in fit["weights"]
            if is_large(weight)
        ]
        columns = ("network", "layer", "residual", "chance of the fit", "as channels lie", "chance of the type")
        title = "Face detection under the mirror, weights of more than 100 entries; chance ± its spread"
        return [Table(title, columns, tuple(rows))] if rows else []

    # -- tuning -------------------------------------------------------------------------------------

    def chosen(self) -> dict[str, float]:
        """By method the strength of the highest accuracy at all turns on the seeds that choose."""
        best = {}
        for name in SLOTS:
            means: dict[float, list[float]] = {}
            for settings, run in self.tuned:
                if settings["seed"] >= CHOOSING:
                    for one in run["tuned"]:
                        if one["method"] == name:
                            means.setdefault(one["strength"], []).append(one["all turns"])
            if means:
                best[name] = max(means, key=lambda strength: float(np.mean(means[strength])))
        return best

    def values(self, method: str, strength: float, what: str) -> list[float]:
        """By seed of the record."""
        return [
            one[what]
            for settings, run in self.tuned
            if settings["seed"] < CHOOSING
            for one in run["tuned"]
            if one["method"] == method and one["strength"] == strength
        ]

    def tuned_table(self) -> list[Table]:
        """Accuracy by method at the chosen strength, and leads, paired by seed."""
        if not self.tuned:
            return []
        rows = []
        chosen = self.chosen()
        for name, strength in chosen.items():
            all_turns = self.values(name, strength, "all turns")
            leads = [
                _interval(np.array(all_turns) - np.array(self.values(other, chosen[other], "all turns")))
                for other in ("none", "channel order")
                if other != name
            ]
            rows.append(
                (
                    SLOTS[name],
                    f"{strength:g}" if strength else "-",
                    _mean(all_turns),
                    _mean(self.values(name, strength, "upright")),
                    leads[0] if name != "none" else "",
                    leads[1] if name == "fitted" else "",
                )
            )
        columns = ("tuned with", "strength", "at all turns", "upright", "lead over none", "lead over channel order")
        return [
            Table("A few upright digits of new classes: accuracy; leads with 95 % t intervals", columns, tuple(rows))
        ]

    # -- conclusions --------------------------------------------------------------------------------

    def tables(self) -> list[Table]:
        """All of them."""
        return [*self.trained_tables(), *self.faces_table(), *self.tuned_table()]

    def conclusions(self) -> list[str]:
        """In sentences."""
        found = []
        for group in self.trained[0][1]["fits"] if self.trained else ():
            for training in self.trainings():
                fits = [run["fits"][group] for run in self.runs_of(training)]
                layers = [w["name"] for w in fits[0]["weights"] if is_large(w)]
                gaps = {n: [_weight(f, n)["chance"] - _weight(f, n)["residual"] for f in fits] for n in layers}
                text = ", ".join(f"{n.removesuffix('.weight')} {_signed(values)}" for n, values in gaps.items())
                found.append(f"{group}, trained on {training} digits: below the chance of the fit by {text}.")
        for settings, run in self.faces:
            fit = run["fits"]["as it is"]
            below = [w for w in fit["weights"] if is_large(w)]
            clear = [w for w in below if w["residual"] < w["chance"] - 2 * w["chance_spread"]]
            least = min(below, key=lambda w: w["residual"] - w["chance"])
            found.append(
                f"{settings['network']} under the mirror: {len(clear)} of {len(below)} layers are below the chance of "
                f"the fit by more than two of its standard deviations, most {least['name'].removesuffix('.weight')} "
                f"({least['residual']:.3f}, chance {least['chance']:.3f}, as channels lie {least['unfitted']:.3f})."
            )
        chosen = self.chosen()
        if len(chosen) == len(SLOTS):
            ours = np.array(self.values("fitted", chosen["fitted"], "all turns"))
            for other in ("none", "channel order"):
                lead = ours - np.array(self.values(other, chosen[other], "all turns"))
                found.append(
                    f"Tuning, accuracy at all turns: a penalty in the fitted representation against {SLOTS[other]}: "
                    f"{_verdict(lead)}."
                )
        return found

    def to_dict(self) -> Mapping[str, Any]:
        """Tables and conclusions as plain values."""
        return {
            "conclusions": self.conclusions(),
            "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in self.tables()],
        }


def is_large(weight: Mapping[str, Any]) -> bool:
    """Whether a weight of a fit has so many entries that it is told of in sentences and pictures."""
    return math.prod(weight["shape"]) > LARGE


def _weight(fit: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(weight for weight in fit["weights"] if weight["name"] == name)


def _mean(values: Sequence[float]) -> str:
    error = f" ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{error}"


def _signed(values: Sequence[float]) -> str:
    text = _mean(values)
    return text if text.startswith("-") else f"+{text}"


def _interval(lead: Any) -> str:
    half = summarise(lead).half_width
    return f"{np.mean(lead):+.3f}" + (f" ± {half:.3f}" if math.isfinite(half) else "")


def _verdict(lead: Any) -> str:
    mean, half = float(np.mean(lead)), summarise(lead).half_width
    word = "ahead" if mean > half else "behind" if mean < -half else "no clear difference"
    return f"{word} ({_interval(lead)}, {len(lead)} seeds)"
