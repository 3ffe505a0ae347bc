"""Segmenters of segmentation_models_pytorch with encoders of several families."""

from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded

# Their sides must be multiples of 32, so that encoders with strided kernels of odd side break at every size they take.
SEGMENTERS = (
    *(("Unet", name) for name in ("resnet18", "mobilenet_v2", "efficientnet-b0", "vgg11_bn", "tu-convnext_atto")),
    *((name, "resnet18") for name in ("UnetPlusPlus", "FPN", "DeepLabV3Plus", "Linknet", "PSPNet", "PAN", "MAnet")),
    ("Segformer", "mit_b0"),
    ("UPerNet", "resnet18"),
    *((name, "vgg11_bn") for name in ("FPN", "Linknet", "UnetPlusPlus")),
)


def cases() -> list[Case]:
    """Segmenters under D4 on 64 pixels, with random weights and running statistics."""
    import segmentation_models_pytorch as smp

    D4 = iw.Dihedral(4)
    return [
        Case(
            f"{name} on {encoder}",
            f"smp {smp.__version__}",
            lambda name=name, encoder=encoder: seeded(lambda: _made(smp, name, encoder)),  # type: ignore[misc]
            iw.on_grid(3 * D4.trivial()),
            iw.on_grid(2 * D4.trivial()),
            drawn(1, 3, side, side),
            f"{side} px",
        )
        for name, encoder in SEGMENTERS
        for side in (128 if name == "PAN" else 64,)
    ]


def _made(smp: object, name: str, encoder: str) -> nn.Module:
    depth = {"encoder_depth": 4, "decoder_channels": (64, 32, 16, 8)} if encoder.startswith("tu-convnext") else {}
    made: nn.Module = getattr(smp, name)(encoder, encoder_weights=None, in_channels=3, classes=2, **depth)
    return made
