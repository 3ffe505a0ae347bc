"""Layers that do nothing in eval mode."""

from torch import nn

from intertwine.layers.rule import LayerRule

_INACTIVE = LayerRule(alike=True)
INACTIVE: dict[type[nn.Module], LayerRule] = dict.fromkeys(
    (
        *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
        nn.FeatureAlphaDropout,
    ),
    _INACTIVE,
)
