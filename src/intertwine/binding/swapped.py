"""A model with equivariant weights for a while, of which its own know nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from intertwine.binding.binding import Binding
from intertwine.binding.entry import Entry
from intertwine.binding.writing import check_stored, write_computed_
from intertwine.layers.channels.output_fields import project_at_scale


@contextmanager
def equivariant_weights(binding: Binding) -> Iterator[None]:
    """Inside, every typed tensor is its projection; after it all are what they were, to the bit.

    Tensors are given other memory, not written to: graphs from before may be walked back after, and no model is copied.

    Raises:
        ArgumentError: as ``project_``. Nothing has been changed then.
    """
    model = binding.model
    check_stored(model, binding.entries, "model")
    computed = [entry for entry in binding.entries if entry.is_computed(model)]
    stored = [entry for entry in binding.entries if entry not in computed]
    inside = [tensor for entry in computed for tensor in entry.underlying(model)]
    before = [(tensor, tensor.data) for tensor in (*(entry.tensor(model) for entry in stored), *inside)]

    @torch.no_grad()
    def projection(entry: Entry) -> torch.Tensor:
        return project_at_scale(entry.projector, entry.tensor(model).detach())

    try:
        with torch.no_grad():
            for tensor in inside:
                tensor.data = tensor.data.clone()
            write_computed_(model, computed, projection, "model")
            for entry in stored:
                entry.tensor(model).data = projection(entry)
        yield
    finally:
        for tensor, data in before:
            tensor.data = data
