"""One network a seed, with one breaker planted; what ``bind`` says beside the error of the whole network."""

import argparse
import random
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.__main__ import project_at_size
from intertwine._numerics import TOLERANCES
from tests.tracing.planting.blocks import Network
from tests.tracing.planting.kinds import KINDS
from tests.tracing.planting.networks import DEEP, FAMILIES
from tests.tracing.planting.ways import WAYS, Planted

LIMIT = TOLERANCES[torch.float32]


@dataclass
class Outcome:
    """What became of one network.

    Attributes:
        seed: that it was drawn from.
        family, kind, way, block, depth: what was drawn; kind ``"clean"`` plants nothing.
        error: of the whole model after ``project_()``, weights at their norms.
        named: all that the binding says against equivariance.
        inside: whether something of it, or a note, names the block with the breaker.
        outside: what of it names other places.
        failed: why there is no error.
        seconds: of CPU time.
    """

    seed: int
    family: str
    kind: str
    way: str
    block: int
    depth: int
    error: float = float("nan")
    named: list[str] = field(default_factory=list)
    inside: bool = False
    outside: list[str] = field(default_factory=list)
    failed: str = ""
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """One or two words; ``SILENT``, ``broken clean``, ``false alarm`` and ``CRASH`` are faults of ours."""
        if self.failed:
            return self.failed.split(":")[0]
        broken = not self.error <= LIMIT
        if self.kind == "clean":
            return "broken clean" if broken else ("false alarm" if self.named else "fine")
        if broken:
            return ("found" if self.inside else "named elsewhere") if self.named else "SILENT"
        return "named" if self.named else "harmless"

    def __str__(self) -> str:
        drawn = f"{self.family} {self.kind} {self.way} block {self.block}/{self.depth}"
        return f"{self.verdict:15} seed {self.seed} {drawn} error {self.error:.1e} {self.failed}".rstrip()


def built(
    seed: int, family: str | None = None, kind: str | None = None, way: str | None = None, depth: int | None = None
) -> tuple[Network, Outcome]:
    """A network, in ``eval``, and an outcome without findings; what is not given is drawn."""
    rng = random.Random(seed)
    drawn = rng.choice(list(FAMILIES)), rng.choice(list(KINDS)), rng.choice(("plain",) * 8 + WAYS)
    family, kind, way = family or drawn[0], kind or drawn[1], way or drawn[2]
    depth = depth or rng.choice([2, 2, 3, 4, 6, 9] if family in DEEP else [2, 2, 3])
    block = rng.randrange(depth)
    torch.manual_seed(seed)

    def fill(number, spot):
        if kind == "clean" or number != block:
            return nn.Identity()
        return Planted(KINDS[kind](random.Random(seed + 1), spot), way)

    network = FAMILIES[family](rng, depth, fill)
    for module in network.model.eval().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network, Outcome(seed, family, kind, way, block, depth)


def judged(network: Network, found: Outcome) -> None:
    """Bind, project and measure; what is raised goes through."""
    binding = iw.bind(
        network.model, example=network.example, rep_in=network.rep_in, rep_out=network.rep_out, group=network.group
    )
    inference = binding.inference
    found.named += [str(one) for one in binding.breakers]
    found.named += [f"unknown {one}" for one in inference.unknown]
    found.named += [f"unaccounted {one}" for one in binding.unaccounted]
    found.named += [f"blind {one}" for one in inference.blind]
    found.named += [f"parted {inference.parted}"] if inference.parted else []
    found.named += [f"conflict {inference.output_conflict}"] if inference.output_conflict else []
    path = f"layers.{found.block}.extra" if found.family == "molecules" else f"extras.{found.block}"
    found.inside = any(path in one for one in (*found.named, *binding.notes))
    found.outside = [one for one in found.named if path not in one]
    project_at_size(binding, network.model)
    found.error = float(
        iw.equivariance_error(network.model, network.rep_in, network.rep_out, network.example, group=network.group)
    )


def runs(network: Network) -> str:
    """Why the network does not run by itself; empty if it does."""
    try:
        with torch.no_grad():
            network.model(*(network.example if isinstance(network.example, tuple) else (network.example,)))
    except Exception as error:  # noqa: BLE001 (whatever a kind raises in a way that it was not made for)
        return f"invalid: {type(error).__name__} {str(error)[:80]}"
    return ""


def hunted(seed: int, **chosen: str | int | None) -> Outcome:
    """The outcome of one seed; what is raised becomes a word of it."""
    network, found = built(seed, **chosen)
    start = time.process_time()
    found.failed = runs(network)
    if not found.failed:
        try:
            judged(network, found)
        except iw.IntertwineError as error:
            found.failed = f"refused: {type(error).__name__} {str(error)[:200]}"
        except Exception as error:  # noqa: BLE001 (what this looks for)
            found.failed = f"CRASH: {type(error).__name__} {str(error)[:200]}"
    found.seconds = time.process_time() - start
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tracing.planting.hunt", description=__doc__)
    parser.add_argument("first", type=int, help="first seed")
    parser.add_argument("count", type=int, help="how many seeds; half a second of CPU time each")
    parser.add_argument("--family", choices=FAMILIES, help="of network; drawn by default, as the others")
    parser.add_argument("--kind", choices=["clean", *KINDS], help="of breaker; clean plants none")
    parser.add_argument("--way", choices=WAYS, help="in which it is built in")
    parser.add_argument("--depth", type=int, help="in blocks")
    parser.add_argument("--all", action="store_true", help="print all networks, not those alone that are worth a look")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    counts = defaultdict(Counter)
    for seed in range(given.first, given.first + given.count):
        found = hunted(seed, family=given.family, kind=given.kind, way=given.way, depth=given.depth)
        counts[found.kind][found.verdict] += 1
        counts["TOTAL"][found.verdict] += 1
        if given.all or found.verdict not in ("found", "harmless", "fine", "invalid"):
            print(found, flush=True)
            for one in found.outside[:3]:
                print("      outside:", one[:250])
    for name, row in sorted(counts.items()):
        print(name, dict(row))


if __name__ == "__main__":
    main()
