"""Which parameter of which module carries which projector, and what follows: penalty, projection, initialisation."""

from intertwine.binding.adapters import start_adapters_
from intertwine.binding.bind import bind
from intertwine.binding.binding import Binding
from intertwine.binding.effective_weights import effective_weights
from intertwine.binding.entry import Entry
from intertwine.binding.forms import Form
from intertwine.binding.measure import Residual
from intertwine.binding.penalty import penalty
from intertwine.layers.typed import Typed

__all__ = ["Binding", "Entry", "Form", "Residual", "Typed", "bind", "effective_weights", "penalty", "start_adapters_"]
