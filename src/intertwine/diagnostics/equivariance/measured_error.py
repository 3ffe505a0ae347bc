"""What ``equivariance_error`` measured, and what it says about it."""

from dataclasses import dataclass, field, fields

import torch

from intertwine._numerics import TOLERANCES
from intertwine.errors import listing
from intertwine.groups.element_text import element_text

# Noise and interpolation of at least these shares of an error may be its cause, and it says so.
NOISE, INTERPOLATED = 0.1, 0.5
# Few samples carry an error if a tenth of them, of at least ten, has nine tenths of its square.
FEW, MOST = 0.1, 0.9


@dataclass(frozen=True, eq=False)
class EquivarianceError:
    """What ``equivariance_error`` measured; ``float(result)`` is ``relative_worst``.

    Attributes:
        absolute_mean: mean over the elements of the root mean square entry of ``f(g x) - g f(x)``, in the units of f.
        absolute_worst: the largest of them.
        relative_mean: mean over the elements of ``|f(g x) - g f(x)| / |f(x)|``, norms over the whole batch.
        relative_worst: the largest of them.
        worst_element: the element that attains ``relative_worst``, its defining matrix, float64, shape (d, d).
        worst_output: which output attains it, 0 for a function with one output.
        exact: True if every element of a finite group was used, so that mean and worst are those of the group; False
            if they are estimates from random elements (the worst then from below).
        num_elements: how many elements were used.
        group: the group's name.
        worst_element_text: what the worst element does, in words.
        worst_output_text: which output it is, such as ``"output 1"`` or ``"output 'energy'"``; empty if there is one.
        by_sample: the share of each index of the output's first axis (samples, or atoms) in
            ``|f(g x) - g f(x)|^2`` for the worst element and output; float64, shape (batch,), of sum 1, or all 0
            without an error. None where the representation acts on the first axis.
        repeat: ``|f(x) - f(x)'| / |f(x)|`` of two calls on the same input: above rounding, the function is random.
        interpolation: where an action interpolates, the largest relative change that turning there and back makes to x
            or f(x) by itself; None where nothing is interpolated.
        tested: False if every element left the inputs and the outputs as they were, so that nothing was tested.
        tolerance: the table's tolerance for the dtype of x, or of the outputs where x holds integers.
        training: names of modules inside the function that are in train mode and act otherwise there.
        unmeasured: outputs for which ``rep_out`` has no entry, in words.
        elements: the elements that were used, their defining matrices, float64, shape (num_elements, d, d).
        by_element: the relative error of each, of its worst output; float64, shape (num_elements,).

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> error = iw.equivariance_error(torch.relu, V, V, torch.randn(8, 4))
        >>> float(error), error.exact, error.num_elements
        (0.0, True, 4)
    """

    absolute_mean: float
    absolute_worst: float
    relative_mean: float
    relative_worst: float
    worst_element: torch.Tensor
    worst_output: int
    exact: bool
    num_elements: int
    group: str
    worst_element_text: str = ""
    worst_output_text: str = ""
    by_sample: torch.Tensor | None = None
    repeat: float = 0.0
    interpolation: float | None = None
    tested: bool = True
    tolerance: float = 0.0
    training: tuple[str, ...] = field(default=())
    unmeasured: tuple[str, ...] = field(default=())
    elements: torch.Tensor | None = None
    by_element: torch.Tensor | None = None

    def __float__(self) -> float:
        return self.relative_worst

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON, tensors as nested lists."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {
            "worst_element": self.worst_element.tolist(),
            "worst_element_text": self.worst_element_text or element_text(self.worst_element),
            **{name: _listed(getattr(self, name)) for name in ("by_sample", "elements", "by_element")},
            "training": list(self.training),
            "unmeasured": list(self.unmeasured),
        }

    @property
    def where(self) -> str:
        """The worst element, and the output where there are several, in words."""
        element = self.worst_element_text or element_text(self.worst_element)
        return f"{element}, {self.worst_output_text}" if self.worst_output_text else element

    @property
    def notes(self) -> tuple[str, ...]:
        """What else than a broken symmetry the number may come from, and which samples carry it."""
        notes = []
        if not self.tested:
            notes.append("nothing was tested: every element acts as the identity on these inputs and outputs")
        if self.unmeasured:
            notes.append(f"not measured, as rep_out has no entry for it: {listing(self.unmeasured)}")
        inside = ", ".join(f"{name} (put it in eval mode)" for name in self.training)
        if self.repeat > NOISE * self.relative_worst and self.repeat > 0:
            cause = f": in train mode is {inside}" if inside else ""
            notes.append(
                f"f(x) twice differs by {self.repeat:.2e}: this is the noise of a random function and says nothing of "
                f"the symmetry{cause}"
            )
        elif self.repeat > self.tolerance:
            notes.append(f"f(x) twice differs by {self.repeat:.2e}")
        elif inside:
            notes.append(f"in train mode is {inside}")
        if self.interpolation is not None and self.interpolation > TOLERANCES[torch.float64]:  # not turns by 90 degrees
            most = " and may be all of it" if self.interpolation > INTERPOLATED * self.relative_worst else ""
            notes.append(f"turning there and back alone changes the images by {self.interpolation:.2e}{most}")
        concentrated = self._concentrated()
        if concentrated:
            notes.append(concentrated)
        return tuple(notes)

    def _concentrated(self) -> str:
        """Which few samples carry nearly all of the error; empty if it takes many, or is rounding."""
        if self.by_sample is None or len(self.by_sample) < 1 / FEW or self.relative_worst <= self.tolerance:
            return ""
        most = int(FEW * len(self.by_sample))
        shares, samples = self.by_sample.topk(most)
        enough = int((shares.cumsum(0) < MOST).sum()) + 1
        if enough > most:
            return ""
        first = ", ".join(f"{i} ({share:.0%})" for i, share in zip(samples.tolist()[:3], shares.tolist(), strict=False))
        if enough == 1:
            return f"sample {first.split(',')[0]} carries it"
        return f"{enough} of {len(self.by_sample)} samples carry it, first of all {first}"

    def __str__(self) -> str:
        how = f"all {self.num_elements} elements of" if self.exact else f"{self.num_elements} random elements of"
        worst = f"relative {self.relative_worst:.2e} at worst ({self.where})"
        absolute = f"absolute {self.absolute_worst:.2e} and {self.absolute_mean:.2e}"
        text = f"{worst}, {self.relative_mean:.2e} in the mean; {absolute}; over {how} {self.group}"
        return "; ".join([text, *self.notes])

    def __repr__(self) -> str:
        return f"EquivarianceError({self})"


def _listed(values: torch.Tensor | None) -> list[object] | None:
    return None if values is None else values.tolist()
