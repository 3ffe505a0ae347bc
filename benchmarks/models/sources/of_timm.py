"""Classifiers of timm."""

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded

# Families of timm, at a size whose strides meet the centre where one was known from the arithmetic of their strides.
TIMM = {
    "resnet18": (65, 64),
    "resnet50": (65,),
    "resnext50_32x4d": (65,),
    "seresnet50": (65,),
    "res2net50_26w_4s": (65,),
    "resnetv2_50": (65,),
    "wide_resnet50_2": (65,),
    "convnext_tiny": (64,),
    "convnextv2_atto": (64,),
    "vit_small_patch16_224": (224,),
    "deit_small_patch16_224": (224,),
    "cait_xxs24_224": (224,),
    "swin_tiny_patch4_window7_224": (224,),
    "twins_svt_small": (224,),
    "pvt_v2_b0": (65,),
    "mixer_s16_224": (224,),
    "poolformer_s12": (64, 65),
    "convmixer_768_32": (56,),
    "efficientnet_b0": (65,),
    "mobilenetv2_100": (65,),
    "mobilenetv3_large_100": (65,),
    "mobilevit_xxs": (64, 65),
    "ghostnet_050": (65,),
    "regnety_002": (65,),
    "densenet121": (64, 65),
    "vgg11_bn": (64,),
    "nfnet_f0": (65,),
    "xception41": (65,),
    "repvgg_a0": (65,),
    "dpn48b": (65,),
    "darknet17": (65,),
    "inception_next_tiny": (64,),
    "edgenext_xx_small": (64,),
    "coatnet_nano_rw_224": (224,),
    "levit_128s": (224,),
    "beit_base_patch16_224": (224,),
}


def cases() -> list[Case]:
    """Classifiers of timm under D4, with random weights and running statistics."""
    import timm

    images = iw.on_grid(3 * iw.Dihedral(4).trivial())
    return [
        Case(
            name,
            f"timm {timm.__version__}",
            lambda name=name: seeded(lambda: timm.create_model(name, pretrained=False)),  # type: ignore[misc]
            images,
            None,
            drawn(2, 3, side, side),
            f"{side} px",
        )
        for name, sides in TIMM.items()
        for side in sides
    ]
