"""How good corrected CT images are: PSNR and SSIM outside the metal; and one image to look at."""

import base64
import math

import numpy as np
import torch
from torch import nn

from experiments.ct.split import DENSEST, CtPairs, CtSplit
from intertwine.errors import missing_extra

# Images at a time where no gradients are taken.
EVALUATED = 20


def scores(model: nn.Module, split: CtSplit, device: str) -> dict[str, float]:
    """Negative PSNR on validation pairs; PSNR and SSIM on the test pairs as they are, PSNR on turned ones."""
    test = corrected(model, split.test.x, device)
    turned = []
    for quarters in (1, 2, 3):
        pairs = CtPairs(split.test.x.rot90(quarters, (2, 3)), split.test.y.rot90(quarters, (2, 3)))
        turned.append(mean_psnr(corrected(model, pairs.x, device), pairs))
    return {
        "validation_loss": -mean_psnr(corrected(model, split.validation.x, device), split.validation),
        "psnr": mean_psnr(test, split.test),
        "psnr_turned": math.fsum(turned) / len(turned),
        "ssim": mean_ssim(test, split.test) if bool(test.isfinite().all()) else math.nan,
    }


@torch.no_grad()
def corrected(model: nn.Module, x: torch.Tensor, device: str = "cpu") -> torch.Tensor:
    """The model's images, on the CPU."""
    model.eval()
    return torch.cat([model(part.to(device)).cpu() for part in x.split(EVALUATED)])


def mean_psnr(images: torch.Tensor, pairs: CtPairs) -> float:
    """Mean over the pairs of ``10 log10(2^2 / mean squared error)`` outside the metal, in dB.

    The images' densities are limited to 0 .. 2 (-1000 .. 1000 HU), as the targets' are.

    Args:
        images: shape (count, 1, side, side).
        pairs: their inputs, whose last channel is the metal, and targets.

    Examples:
        >>> pairs = CtPairs(torch.zeros(2, 2, 5, 5), torch.zeros(2, 1, 5, 5))
        >>> round(mean_psnr(torch.full((2, 1, 5, 5), 0.2), pairs), 3)
        20.0
    """
    return float(psnr(images, pairs).mean())


def psnr(images: torch.Tensor, pairs: CtPairs) -> torch.Tensor:
    """As ``mean_psnr``, for each pair, shape (count,); infinite for equal images."""
    outside = 1 - pairs.x[:, -1:]
    difference = images.clamp(0, DENSEST) - pairs.y
    error = (difference.square() * outside).sum((1, 2, 3)) / outside.sum((1, 2, 3))
    return 10 * torch.log10(DENSEST**2 / error)


def mean_ssim(images: torch.Tensor, pairs: CtPairs) -> float:
    """Mean over the pairs and the pixels outside the metal of scikit-image's structural similarity (windows of 7).

    Source:
        Wang, Bovik, Sheikh and Simoncelli 2004, Image quality assessment.
    """
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise missing_extra("skimage", "ct") from error
    values = []
    for image, target, inputs in zip(images, pairs.y, pairs.x, strict=True):
        ours, theirs = (t[0].clamp(0, DENSEST).double().numpy() for t in (image, target))
        metal = inputs[-1].numpy() > 0
        ours = np.where(metal, theirs, ours)
        _, local = structural_similarity(ours, theirs, data_range=DENSEST, full=True)
        values.append(float(local[~metal].mean()))
    return math.fsum(values) / len(values)


def sample_index(pairs: CtPairs) -> int:
    """The pair whose artefacts have the median PSNR: chosen by the data alone."""
    artefacts = psnr(pairs.x[:, -2:-1], pairs)
    return int(artefacts.argsort()[(len(artefacts) - 1) // 2])


def sample_text(image: torch.Tensor) -> str:
    """One image of shape (1, 1, side, side) as text: a byte a pixel, 0 .. 2 in densities of water.

    Examples:
        >>> image = torch.tensor([0.0, 0.5, 1.0, 2.0]).view(1, 1, 2, 2)
        >>> bool((sample_image(sample_text(image)) - image).abs().max() < 0.004)
        True
    """
    grey = (image.nan_to_num(0).clamp(0, DENSEST) * (255 / DENSEST)).round().byte()
    return base64.b64encode(grey.cpu().numpy().tobytes()).decode("ascii")


def sample_image(text: str) -> torch.Tensor:
    """The image of ``sample_text``."""
    grey = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    side = math.isqrt(len(grey))
    return torch.from_numpy(grey.astype(np.float32)).view(1, 1, side, side) * (DENSEST / 255)
