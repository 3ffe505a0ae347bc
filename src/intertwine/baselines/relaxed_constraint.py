"""Training relaxed convolutions with the regulariser of their own paper."""

import torch

from intertwine.baselines.method import Method
from intertwine.baselines.relaxed.layer import relaxed_layers
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError


class RelaxedConstraint(Method):
    """``strength * sum over the relaxed layers of sum over axes |w(h + 1) - w(h)|``.

    The regulariser that Wang et al. propose for their layers, with alpha = strength: an un-squared norm of differences
    between neighbouring relaxed weights. The layers begin exactly equivariant. It is added once, un-squared, and every
    relaxed layer enters.

    Args:
        subject: a model with relaxed convolutions.
        strength: alpha.
        generator: not used.

    Raises:
        ArgumentError: the model has no relaxed convolution.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import RelaxedConstraint, Subject, leave
        >>> from intertwine.baselines.relaxed import RelaxedTranslationConv2d, relaxed_types
        >>> model, x = RelaxedTranslationConv2d(1, 1, 3, size=(4, 4)), torch.randn(2, 1, 4, 4)
        >>> binding = iw.bind(model, relaxed_types(model))
        >>> method = RelaxedConstraint(Subject(model, binding, binding.group, leave, leave), strength=0.1)
        >>> method.penalty(x, model(x)).item()  # the same kernel everywhere
        0.0
    """

    name = "relaxed_constraint"
    label = "relaxed, own constraint"
    source = "Wang, Walters and Yu 2022, arXiv 2201.11969"
    tuned = True

    def __init__(
        self, subject: Subject, strength: float | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(subject, strength, generator=generator)
        self._layers = [layer for _, layer in relaxed_layers(subject.model)]
        if not self._layers:
            raise ArgumentError(
                "subject",
                expected="a model with relaxed convolutions",
                got="none in it",
                advice="The layers are in intertwine.baselines.relaxed.rotations and its neighbours.",
            )

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor | None:
        """``strength * sum of layer.constraint()``."""
        return self.strength * torch.stack([layer.constraint() for layer in self._layers]).sum()
