"""``python -m benchmarks.models.families --write results/models``: 53 families of timm at 224 and 225 pixels.

What ``iw.check`` says of each, beside what was observed of the same models without this library: the error of the whole
network under a quarter turn, in float64, with every square kernel, position table and square table of biases averaged
over the turns and mirrors. Both must agree on whether anything breaks, but where the observation left weights as they
are that have a type here (`typed here`).
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.__main__ import operators_of_torchvision
from benchmarks.models.case import drawn, seeded

SIDES = (224, 225)
# Observed: which side keeps the turn.
KEPT_AT_225 = (
    *("resnet18", "resnetv2_18", "regnetx_002", "regnety_002", "efficientnet_b0", "tf_efficientnet_b0"),
    *("mobilenetv2_100", "mobilenetv3_small_050", "tf_mobilenetv3_small_minimal_100", "mobilenetv4_conv_small"),
    *("mnasnet_small", "ghostnet_050", "darknet17", "cspresnet50", "repvgg_a0", "dpn48b", "fastvit_t8", "mobileone_s0"),
    *("mobilevit_xxs", "repghostnet_050", "starnet_s1", "rexnet_100", "tinynet_e", "lcnet_035", "xception41"),
)
KEPT_AT_224 = (
    *("convnext_atto", "convnextv2_atto", "vgg11_bn", "convmixer_768_32", "vit_tiny_patch16_224"),
    *("deit_tiny_patch16_224", "twins_svt_small", "cait_xxs24_224"),
)
KEPT_AT_NEITHER = (
    *("resnet26d", "densenet121", "nfnet_f0", "poolformer_s12", "hgnetv2_b0", "inception_next_atto", "pvt_v2_b0"),
    *("edgenext_xx_small", "xcit_nano_12_p8_224", "mixer_s32_224", "gmlp_ti16_224", "resmlp_12_224"),
    *("swin_tiny_patch4_window7_224", "beit_base_patch16_224", "eva02_tiny_patch14_224"),
    *("maxvit_pico_rw_256", "coatnet_pico_rw_224", "levit_128s", "visformer_tiny", "hrnet_w18_small"),
)
# Weights that mix tokens, and tables with rows for a class token: they were left as they are.
NOT_AVERAGED = frozenset(("mixer_s32_224", "gmlp_ti16_224", "resmlp_12_224", "beit_base_patch16_224"))
FIELDS = ("model", "size", "observed", "check", "agree", "breakers", "first", "seconds")
PAGE = """# Families of timm at 224 and 225 pixels

`python -m benchmarks.models.families --write results/models`, timm {version}, one image, float32, quarter turns: what
`iw.check` says (`keeps`: no breaker) beside the error of the whole network that was measured without this library, with
kernels and tables averaged over turns and mirrors (`keeps`: below 1e-12 in float64). `typed here`: the measurement left
weights as they are that mix tokens, or tables with rows for a class token, which have a type here. Sides that a model
refuses are left out.

Of {rows} rows {agree} agree, {typed} are typed here, {differ} differ.

"""


def observed(name: str, side: int) -> str:
    """What was measured of a model at this side."""
    kept = KEPT_AT_224 if side == 224 else KEPT_AT_225
    return "keeps" if name in kept else "breaks"


def rows(only: str) -> Iterator[dict[str, object]]:
    """One for each family and side."""
    import timm

    turned = iw.on_grid(3 * iw.Cyclic(4).trivial())
    for name in (*KEPT_AT_225, *KEPT_AT_224, *KEPT_AT_NEITHER):
        for side in SIDES:
            if only not in name:
                continue
            x = drawn(1, 3, side, side)
            try:
                model = _built(timm, name, side, x)
            except (AssertionError, RuntimeError, ValueError, TypeError):
                continue  # it refuses this side
            start = time.perf_counter()
            binding = iw.bind(model, rep_in=turned, rep_out=None, example=x)
            seconds = time.perf_counter() - start
            said = "breaks" if binding.breakers else "keeps"
            seen = observed(name, side)
            typed = said == "keeps" and name in NOT_AVERAGED and side == 224
            agree = "yes" if said == seen else "typed here" if typed else "no"
            first = f"{binding.breakers[0].module}: {binding.breakers[0].function}" if binding.breakers else ""
            values = (name, side, seen, said, agree, len(binding.breakers), first, f"{seconds:.1f}")
            yield dict(zip(FIELDS, values, strict=True))


def _built(timm: object, name: str, side: int, x: torch.Tensor) -> nn.Module:
    """The model for images of this side, said to it where it insists."""
    create = timm.create_model  # type: ignore[attr-defined]
    model = seeded(lambda: create(name, pretrained=False))
    with torch.no_grad():
        try:
            model(x)
        except (AssertionError, RuntimeError):
            model = seeded(lambda: create(name, pretrained=False, img_size=side))
            model(x)
    return model


def main() -> None:
    """Run the families and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, default=None, help="folder of the record")
    parser.add_argument("--only", default="", help="part of a name")
    arguments = parser.parse_args()
    operators_of_torchvision()
    import timm

    found: list[dict[str, object]] = []
    for row in rows(arguments.only):
        print(" | ".join(str(value) for value in row.values()), flush=True)
        found.append(row)
        if arguments.write is not None:
            _write(arguments.write, found, timm.__version__)


def _write(folder: Path, found: list[dict[str, object]], version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "families.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(found)
    count = [str(row["agree"]) for row in found]
    page = PAGE.format(
        version=version,
        rows=len(found),
        agree=count.count("yes"),
        typed=count.count("typed here"),
        differ=count.count("no"),
    )
    table = [FIELDS, ["---"] * len(FIELDS), *(row.values() for row in found)]
    lines = "\n".join(f"| {' | '.join(str(cell) for cell in cells)} |" for cells in table)
    (folder / "families.md").write_text(page + lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
