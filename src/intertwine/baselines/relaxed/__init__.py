"""Relaxed convolutions of Wang et al. 2022: weights that may vary along rotations, positions or scales."""

from intertwine.baselines.relaxed.layer import RelaxedLayer, relaxed_layers, relaxed_types
from intertwine.baselines.relaxed.rotations import RelaxedGroupConv2d, RelaxedLiftingConv2d, RelaxedProjectingConv2d
from intertwine.baselines.relaxed.scales import RelaxedScaleConv2d, RelaxedScaleLiftingConv2d
from intertwine.baselines.relaxed.steerable import RelaxedSteerableConv2d
from intertwine.baselines.relaxed.translations import RelaxedTranslationConv2d

__all__ = [
    "RelaxedGroupConv2d",
    "RelaxedLayer",
    "RelaxedLiftingConv2d",
    "RelaxedProjectingConv2d",
    "RelaxedScaleConv2d",
    "RelaxedScaleLiftingConv2d",
    "RelaxedSteerableConv2d",
    "RelaxedTranslationConv2d",
    "relaxed_layers",
    "relaxed_types",
]
