"""``python -m experiments reproduce pretrained``: which symmetry trained networks learnt, and what keeping it gains."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.pretrained.data import TURNS
from experiments.pretrained.faces import CONVOLUTIONS, run_faces, weights_file
from experiments.pretrained.findings import CHOOSING, Findings
from experiments.pretrained.trained import GROUPS, run_trained
from experiments.pretrained.tuned import run_tuned
from experiments.runs.grid import Settings
from experiments.runs.record import write_record, write_text
from experiments.runs.run_cache import Run
from intertwine.errors import UnknownNameError, listing

RECORD, README = "record.json", "README.md"
KINDS: dict[str, Callable[[Settings], Run]] = {"trained": run_trained, "faces": run_faces, "tuned": run_tuned}
STRENGTHS = (1e-3, 1e-2, 1e-1)
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"widths": [4, 4, 4, 4], "count": 256, "test": 100, "epochs": 1, "draws": 2, "examples": 16},
    "cpu": {"widths": [16, 32, 64, 64], "count": 10_000, "test": 5_000, "epochs": 14, "draws": 5, "examples": 96},
    "full": {"widths": [64, 128, 128, 128], "count": 10_000, "test": 5_000, "epochs": 20, "draws": 5, "examples": 96},
}
SEEDS = {"smoke": 1, "cpu": 2, "full": 5}
TUNING_SEEDS = {"smoke": (1, 1), "cpu": (10, 3), "full": (10, 3)}
_TEXT = """
Digits of 14 x 14 pixels; a CNN of three convolutions, ReLU, the maximum over pixels and two linear layers, trained
with Adam. Turned: each digit at a quarter turn drawn anew each epoch; half turned: upright or upside down. The fit is
made on digits of the validation set at all turns. Layers are numbered as in the network: 0, 2, 5 convolutions, 8 and 10
linear.

Chance is the whole fit repeated on weights whose entries are shuffled within each filter, five draws. As channels lie:
the residual under regular fields in the order of the channels.

Faces: PNet, RNet and ONet with the weights that facenet-pytorch 2.6.0 ships, on windows of a photograph of a person
(scikit-image's astronaut) at all sizes. Rescaled: channels multiplied by positive factors, the function unchanged.
Where pools of 3 pixels, 2 apart, do not lie symmetrically, `breakers` in the record name them.

Tuning: networks that learnt the digits 0 to 4 at all turns get a new head and 50 upright digits of 5 to 9; tested on 5
to 9 at all turns. Strengths are chosen on three seeds that the table does not use.
"""
NOTES = tuple(" ".join(paragraph.split()) for paragraph in _TEXT.split("\n\n"))


class PretrainedExperiment:
    """Fits to trained networks: an ``Experiment`` of three kinds of runs."""

    name = "pretrained"
    title = "Pretrained weights: which symmetry did they learn?"
    summary = "fits of representations: CNNs on turned digits, face detectors under the mirror, tuning with a penalty"
    packages: tuple[str, ...] = ("skimage",)
    extra = "ct"
    workers: int | None = None
    num_seeds: Mapping[str, int] = MappingProxyType(SEEDS)

    @property
    def run(self) -> Callable[[Settings], Run]:
        """One network."""
        return run_pretrained

    def grid(self, size: str, seeds: int | None = None, device: str = "cpu") -> list[dict[str, Any]]:
        """The settings of every run; all of them run on the CPU.

        Raises:
            UnknownNameError: no such size.
        """
        if size not in SIZES:
            raise UnknownNameError("size", expected=f"one of {listing(SIZES)}", got=repr(size))
        plan = SIZES[size]
        groups = list(GROUPS)[:1] if size == "smoke" else list(GROUPS)
        trained = [
            {"kind": "trained", "training": training, "seed": seed, "groups": groups, **plan}
            for training in (list(TURNS)[:1] if size == "smoke" else TURNS)
            for seed in range(seeds or SEEDS[size])
        ]
        faces = [
            {"kind": "faces", "network": name, "seed": 0, "draws": plan["draws"], "examples": plan["examples"]}
            for name in (list(CONVOLUTIONS)[:1] if size == "smoke" else CONVOLUTIONS)
            if weights_file(name) is not None
        ]
        own, choosing = TUNING_SEEDS[size]
        few = {"few": 50, "steps": 2 if size == "smoke" else 150, "strengths": list(STRENGTHS), **plan}
        few |= {"widths": [max(4, width // 2) for width in plan["widths"]], "epochs": min(plan["epochs"], 8)}
        numbers = [*range(own if seeds is None else seeds), *range(CHOOSING, CHOOSING + choosing)]
        return [*trained, *faces, *({"kind": "tuned", "seed": number, **few} for number in numbers)]

    def get_ready(self, size: str, console: Any) -> None:
        """Says which networks are left out."""
        missing = [name for name in CONVOLUTIONS if weights_file(name) is None]
        if missing:
            console.print(f"left out, as facenet_pytorch/data is not there: {listing(missing)}")

    def write(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
        """Record, page and picture under ``out``; their paths. A ``remark`` in ``head`` stands on the page too."""
        from experiments.pretrained.pictures import draw

        found = Findings.of(runs)
        pictures = draw(found, out)
        planned = len(self.grid(str(head["size"])))
        part = f"{len(runs)} of the {planned} runs of this size; the others are still to be made."
        record = {
            "experiment": self.name,
            "title": self.title,
            **head,
            "notes": NOTES,
            **found.to_dict(),
            "chosen_strengths": found.chosen(),
            "runs": [{"settings": dict(settings), "result": run} for settings, run in runs],
        }
        write_record(out / RECORD, record)
        parts = [
            f"# {self.title}",
            "Written by the command below; nothing here is typed by hand.",
            f"```\n{head['command']}\n```",
            *([part] if len(runs) < planned else []),
            *([str(head["remark"])] if "remark" in head else []),
            "\n".join(f"* {sentence}" for sentence in found.conclusions()),
            *(f"## {table.title}\n\n{table.to_markdown()}" for table in found.tables()),
            *(f"![{caption}]({name})\n\n{caption}" for name, caption in pictures),
            *NOTES,
            f"{head['date']}, {head['environment']['processor']}, torch {head['environment']['torch']}.",
        ]
        write_text(out / README, "\n\n".join(parts) + "\n")
        return [out / RECORD, out / README, *(out / name for name, _ in pictures)]

    def show(self, console: Any, runs: Sequence[tuple[Settings, Run]]) -> None:
        """Tables and conclusions on a rich console."""
        found = Findings.of(runs)
        for table in found.tables():
            console.print(table.to_rich())
        for line in found.conclusions():
            console.print(line)


def run_pretrained(settings: Settings) -> Run:
    """One run of the kind that the settings name."""
    return KINDS[settings["kind"]](settings)


TASK = PretrainedExperiment()
