"""What a layer type means: the types of its parameters, what it does to a grid and to channels of a known type.

One file a layer type, one registry of them all, open to users: ``bind(..., rules={MyLayer: LayerRule(...)})``.
"""

from intertwine.layers.channels.fits import largest, pointwise
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.effective.given import Effective
from intertwine.layers.grid.finding import Finding
from intertwine.layers.grid.grid_map import GridMap
from intertwine.layers.grid.rearranged import Flattened, Padded, Shuffled
from intertwine.layers.grid.resized import Adaptive, Resized
from intertwine.layers.grid.windows import Windows, convolution_windows
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule, layer_rule
from intertwine.layers.typed import Typed

__all__ = [
    "Adaptive",
    "Effective",
    "Finding",
    "Flattened",
    "GridMap",
    "LayerRule",
    "LayerType",
    "OutputFields",
    "Padded",
    "Resized",
    "Shuffled",
    "Slot",
    "Typed",
    "Windows",
    "convolution_windows",
    "largest",
    "layer_rule",
    "pointwise",
]
