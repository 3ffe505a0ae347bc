"""What the timings say: the cost of each regulariser beside its budget, and three sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run
from experiments.runtime.cases import KINDS
from experiments.runtime.variance import samples_needed

# From so many uses of each weight in a forward pass on, the budgets hold.
POSITIONS = 4096
# The penalty as a share of the plain step; one sampled element through the model as a multiple of the penalty.
LARGEST_SHARE, SMALLEST_MULTIPLE = 0.05, 20.0
# Below those sizes: the penalty's extra cost as a multiple of plain L2's own.
LARGEST_L2_MULTIPLE = 1.5
NAMES = {"mlp": "MLP", "cnn2d": "2D CNN", "cnn3d": "3D CNN"}
PRECISIONS = (0.01, 0.001)


@dataclass(frozen=True, eq=False)
class Steps:
    """One timed network: settings and result of a run."""

    settings: Settings
    run: Run

    @property
    def pair(self) -> tuple[str, str]:
        """Group and kind of model."""
        return self.settings["group"], self.settings["kind"]

    @property
    def name(self) -> str:
        """As in ``D4, 2D CNN, w = 64``."""
        group, kind = self.pair
        return f"{group}, {NAMES[kind]}, w = {self.settings['width']}"

    @property
    def is_large(self) -> bool:
        """Whether the budgets of large batches hold."""
        return bool(self.run["positions"] >= POSITIONS)

    @property
    def plain(self) -> float:
        """Seconds of the plain step."""
        return float(self.run["methods"]["plain"]["seconds"])

    def extra(self, method: str) -> float | None:
        """What a step with the method takes beyond the plain step, as a share of it; None where it does not apply."""
        found = self.run["methods"].get(method, {})
        return float(found["ratio"]) - 1 if "ratio" in found else None

    def share(self, method: str) -> float:
        """What the method takes by itself, as a share of the plain step."""
        return float(self.run["alone"][method]) / self.plain

    @property
    def element_multiple(self) -> float | None:
        """Extra cost of one sampled element through the model over that of the penalty."""
        extra = self.extra("sampled_activation@1")
        return None if extra is None else extra / self.share("penalty")

    @property
    def l2_multiple(self) -> float:
        """Cost of the penalty over that of plain L2, both by themselves."""
        return self.share("penalty") / self.share("plain_l2")

    def memory(self, method: str) -> int | None:
        """Peak bytes of a step; None where the method does not apply."""
        peak = self.run["methods"].get(method, {}).get("peak_memory")
        return None if peak is None else int(peak)


@dataclass(frozen=True, eq=False)
class Sampling:
    """The spread of the sampled penalty for one group."""

    settings: Settings
    run: Run

    @property
    def multiple(self) -> float:
        """Time of one element over the time of the exact penalty, on one weight."""
        seconds = self.run["seconds"]
        return float(seconds["one_element"] / seconds["ours"])

    def cost(self, kind: str, precision: float) -> tuple[int, float]:
        """How many elements bring the relative standard deviation to ``precision``, and their time over ours."""
        count = samples_needed(self.run["constant"][kind], precision)
        return count, count * self.multiple

    @property
    def exhaustive(self) -> float | None:
        """Time of all elements but the identity over ours: an exact value too; None for infinite groups."""
        order = self.run["order"]
        return None if order is None else (order - 1) * self.multiple


@dataclass(frozen=True, eq=False)
class Findings:
    """All runs, sorted out."""

    large: tuple[Steps, ...]
    small: tuple[Steps, ...]
    sampling: tuple[Sampling, ...]

    @classmethod
    def of(cls, runs: Sequence[tuple[Settings, Run]]) -> "Findings":
        """From settings and results."""
        steps = [Steps(settings, run) for settings, run in runs if settings["measure"] == "steps"]
        order = list(KINDS)
        steps.sort(key=lambda s: order.index(s.pair[1]))
        return cls(
            tuple(s for s in steps if s.is_large),
            tuple(s for s in steps if not s.is_large),
            tuple(Sampling(settings, run) for settings, run in runs if settings["measure"] == "variance"),
        )

    @property
    def widest(self) -> list[Steps]:
        """The widest network of each group and kind of model, of the large ones if there are any."""
        found: dict[tuple[str, str], Steps] = {}
        for steps in self.large or self.small:
            if steps.pair not in found or steps.settings["width"] > found[steps.pair].settings["width"]:
                found[steps.pair] = steps
        return list(found.values())

    def verdicts(self) -> list[dict[str, object]]:
        """Each budget: what it bounds, the cases, those that miss it, the range of the values."""
        return [
            _verdict("penalty, share of the plain step", "<=", LARGEST_SHARE, self.large, lambda s: s.share("penalty")),
            _verdict("decay, share of the plain step", "<=", LARGEST_SHARE, self.large, lambda s: s.share("decay")),
            _verdict(
                "one sampled element through the model, multiple of the penalty",
                ">=",
                SMALLEST_MULTIPLE,
                self.large,
                lambda s: s.element_multiple,
            ),
            _verdict(
                "penalty in small batches, multiple of plain L2",
                "<=",
                LARGEST_L2_MULTIPLE,
                self.small,
                lambda s: s.l2_multiple,
            ),
        ]

    def conclusions(self) -> list[str]:
        """Three sentences, also where they go against us."""
        lines = []
        if self.large:
            penalty, decay, element, _ = self.verdicts()
            lines.append(
                f"Where every weight is used at least {POSITIONS} times in a step ({len(self.large)} networks), the "
                f"penalty takes {_shares(penalty)} of the plain step and the decay {_shares(decay)} (budget "
                f"{LARGEST_SHARE:.0%}: {_missed(penalty)} and {_missed(decay)}), plain L2 "
                f"{_range([s.share('plain_l2') for s in self.large], '.1%')}; one sampled element through the model "
                f"costs {_multiples(element)} what the penalty costs (at least {SMALLEST_MULTIPLE:g} x wanted: "
                f"{_missed(element)})."
            )
        if self.small:
            multiple = self.verdicts()[3]
            batch = max(s.run["positions"] for s in self.small)
            lines.append(
                f"In small batches (at most {batch} uses of a weight) any pass over the weights shows: the penalty is "
                f"{_range([s.share('penalty') for s in self.small], '.0%')} of the plain step, plain L2 itself "
                f"{_range([s.share('plain_l2') for s in self.small], '.0%')}, which makes {_multiples(multiple)} plain "
                f"L2 (budget {LARGEST_L2_MULTIPLE:g} x: {_missed(multiple)})."
            )
        if self.sampling:
            costs = [s.cost("random", PRECISIONS[0]) for s in self.sampling]
            finite = [s.exhaustive for s in self.sampling if s.exhaustive is not None]
            lines.append(
                "To know the exact value of one weight's penalty to 1 %, sampling independent elements takes "
                f"{_range([n for n, _ in costs], ',.0f')} of them and {_range([c for _, c in costs], ',.0f')} x our "
                "time; a finite group's elements can be listed instead, which is exact too and takes "
                f"{_range(finite, ',.0f')} x our time."
                if finite
                else "Sampling was measured for infinite groups only."
            )
        return lines


def _verdict(
    what: str, sign: str, budget: float, cases: Sequence[Steps], value: Callable[[Steps], float | None]
) -> dict[str, object]:
    measured = [s for s in cases if value(s) is not None]
    named = [(f"{s.name}, batch {s.settings['batch']}", v) for s in cases if (v := value(s)) is not None]
    values = [v for _, v in named]
    missed = [i for i, v in enumerate(values) if (v > budget if sign == "<=" else v < budget)]
    return {
        "what": what,
        "budget": f"{sign} {budget:g}",
        "cases": len(values),
        "missed": [named[i][0] for i in missed],
        "weights_of_largest_missed": max((measured[i].run["weights"] for i in missed), default=None),
        "weights_of_largest": max((s.run["weights"] for s in measured), default=None),
        "smallest": min(values, default=None),
        "median": median(values) if values else None,
        "largest": max(values, default=None),
    }


def _shares(verdict: dict[str, object]) -> str:
    return _range([verdict["smallest"], verdict["largest"]], ".1%") + f" (median {verdict['median']:.1%})"


def _multiples(verdict: dict[str, object]) -> str:
    return _range([verdict["smallest"], verdict["largest"]], ".3g") + f" x (median {verdict['median']:.3g} x)"


def _missed(verdict: dict[str, object]) -> str:
    missed = verdict["missed"]
    if not isinstance(missed, list) or not missed:
        return "met everywhere"
    weights, largest = verdict["weights_of_largest_missed"], verdict["weights_of_largest"]
    # Below some size it is the number of calls that costs, which does not depend on the size.
    small = f", none above {weights:,} weights" if weights != largest else ""
    return f"missed in {len(missed)} of {verdict['cases']}{small}"


def _range(values: Sequence[object], form: str) -> str:
    low, high = min(values), max(values)  # type: ignore[type-var]
    return f"{low:{form}}" if f"{low:{form}}" == f"{high:{form}}" else f"{low:{form}} to {high:{form}}"
