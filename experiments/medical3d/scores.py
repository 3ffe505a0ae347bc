"""How well a network tells the volumes apart."""

import math

import torch
import torch.nn.functional as F
from scipy.stats import rankdata
from torch import nn

from experiments.medical3d.data import Volumes

# Volumes at a time.
BATCH = 128


def scores(model: nn.Module, volumes: Volumes, device: str = "cpu") -> dict[str, float]:
    """Mean cross-entropy ``loss``, ``accuracy``, and ``auc`` as MedMNIST defines it."""
    with torch.no_grad():
        logits = torch.cat([model(x.to(device)).cpu() for x in volumes.x.split(BATCH)])
    return {
        "loss": F.cross_entropy(logits, volumes.y).item(),
        "accuracy": (logits.argmax(1) == volumes.y).float().mean().item(),
        "auc": area_under_curve(logits.double().softmax(1), volumes.y),
    }


def area_under_curve(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Area under the ROC curve; of more than two classes the mean over one against the rest, as MedMNIST has it.

    The share of pairs (positive, negative) in which the positive has the higher score, ties counting half.

    Args:
        probabilities: shape (count, classes).
        labels: shape (count,).

    Returns:
        0.5 for chance; NaN if a class has no sample or the scores are not finite.

    Examples:
        >>> scores = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
        >>> area_under_curve(scores, torch.tensor([0, 0, 1, 1]))
        0.75
    """
    if not bool(probabilities.isfinite().all()):
        return math.nan
    classes = probabilities.shape[1]
    areas = []
    for k in range(1 if classes == 2 else 0, classes):
        positive = (labels == k).numpy()
        count, others = int(positive.sum()), int((~positive).sum())
        if not count or not others:
            return math.nan
        ranks = rankdata(probabilities[:, k].numpy())[positive].sum()
        areas.append((ranks - count * (count + 1) / 2) / (count * others))
    return float(sum(areas) / len(areas))
