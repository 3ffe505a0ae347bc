"""Networks of torchvision: classifiers, segmenters, the pyramid and heads of a detector, a network of films."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case, drawn, seeded

CLASSIFIERS = {
    "shufflenet_v2_x0_5": (65,),
    "squeezenet1_1": (63, 65),
    "googlenet": (77, 65),
    "inception_v3": (107,),
    "mnasnet0_5": (65,),
    "alexnet": (63, 67),
    "regnet_x_400mf": (65,),
    "maxvit_t": (224,),
    "swin_t": (224,),
    "swin_v2_t": (256,),
    "convnext_tiny": (64,),
    "densenet121": (61,),
}
SEGMENTERS = {"fcn_resnet50": (65,), "deeplabv3_mobilenet_v3_large": (65,), "lraspp_mobilenet_v3_large": (65,)}


def cases() -> list[Case]:
    """Networks of torchvision with random weights and running statistics, under D4 and the octahedral group."""
    import torchvision as tv
    from torchvision.models import detection, segmentation, video

    source = f"torchvision {tv.__version__.partition('+')[0]}"
    D4, O = iw.Dihedral(4), iw.Octahedral()
    images = iw.on_grid(3 * D4.trivial())
    found = []

    def case(name: str, make: Callable[[], nn.Module], rep_in: Any, rep_out: Any, *shape: int) -> None:
        found.append(Case(name, source, lambda: seeded(make), rep_in, rep_out, drawn(*shape), f"{shape[-1]} px"))

    for name, sides in CLASSIFIERS.items():
        options: dict[str, Any] = {"weights": None}
        if name in ("googlenet", "inception_v3"):
            options |= {"init_weights": False, "aux_logits": False}
        make = lambda name=name, options=options: getattr(tv.models, name)(**options)  # noqa: E731
        for side in sides:
            case(name, make, images, None, 2, 3, side, side)
    for name, sides in SEGMENTERS.items():
        make = lambda name=name: Segmenter(  # noqa: E731
            getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=2)
        )
        for side in sides:
            case(name, make, images, iw.on_grid(2 * D4.trivial()), 2, 3, side, side)
    heads = [(None, None)] * 5
    case("retinanet_resnet50_fpn, before anchors", lambda: Detector(detection), images, heads, 1, 3, 65, 65)
    case("r3d_18", lambda: video.r3d_18(weights=None), iw.on_grid(3 * O.trivial()), None, 1, 3, 17, 17, 17)
    return found


class Segmenter(nn.Module):
    """The images of a network that gives them in a dictionary."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to masks."""
        masks: torch.Tensor = self.net(x)["out"]
        return masks


class Detector(nn.Module):
    """Pyramid and heads of RetinaNet: means of classes and boxes at each level, so that the group leaves them alone."""

    def __init__(self, detection: Any) -> None:
        super().__init__()
        net = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
        self.backbone, self.head = net.backbone, net.head

    def forward(self, x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Images to scores and boxes."""
        levels = list(self.backbone(x).values())
        each = [self.head([level]) for level in levels]
        return [(one["cls_logits"].mean(1), one["bbox_regression"].mean(1)) for one in each]
