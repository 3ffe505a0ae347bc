"""The penalty on operators, estimated from sampled elements of the group."""

import torch

from intertwine._arguments import integer
from intertwine._numerics import accumulation_dtype, squared_norm
from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.baselines.weight_action import act_on_weight
from intertwine.binding import Binding, Entry
from intertwine.errors import ArgumentError, with_article


class SampledOperator(Method):
    """``L + s/(4n) sum_g |g.W - W|^2`` over n random elements, drawn anew at each step.

    As ``E_g |g.W - W|^2 = 2 |W-PW|^2`` for the uniform distribution on the group, its expectation is our penalty
    ``s/2 |W-PW|^2``, and over all elements of a finite group it is equal to it. What sampling adds is noise and n
    applications of the group to every weight. The start is equivariant as the penalty's, so that nothing else differs.

    Args:
        subject: as in ``Method``; the group must act on every typed parameter.
        strength: s.
        generator: draws the elements.
        num_samples: n.

    Raises:
        ArgumentError: the group is not compact, or does not act on a typed parameter: SO(2) on the pixels of a kernel.

    Source:
        The sample-based rival in Berndt and Stuehmer, arXiv 2601.05028.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import SampledOperator, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> _ = subject.binding.project_()
        >>> SampledOperator(subject, strength=1.0).penalty(x, model(x)).item() < 1e-10
        True
    """

    name = "sampled_operator"
    label = "sampled, operators"
    source = "Berndt and Stuehmer 2026, arXiv 2601.05028"
    tuned = True
    equivariant_start = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        num_samples: int = 1,
    ) -> None:
        if not subject.group.is_compact:
            raise ArgumentError("subject", expected="a compact group, to draw from", got=str(subject.group))
        for entry in _parameters(subject.binding):
            _check_action(entry)
        super().__init__(subject, strength, generator=generator)
        self.num_samples = integer("num_samples", num_samples, 1)

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        elements = self.subject.group.sample(self.num_samples, generator=self.generator)
        return operator_penalty(self.subject.binding, elements, self.strength)


def operator_penalty(binding: Binding, elements: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
    """``s/(4n) sum over g of |g.W - W|^2``, summed over the typed parameters; buffers have no part.

    Args:
        binding: the typed parameters.
        elements: g, shape (n, d, d).
        strength: s.

    Returns:
        A scalar; the mean over all elements of a finite group is ``binding.penalty(s)``.

    Raises:
        ArgumentError: the group does not act on a typed parameter.

    Source:
        The sample-based rival in Berndt and Stuehmer, arXiv 2601.05028.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Dihedral(3)
        >>> binding = iw.bind(torch.nn.Linear(6, 12), {"": (G.regular(), 2 * G.regular())})
        >>> sampled = operator_penalty(binding, G.elements(), 0.5)
        >>> torch.allclose(sampled, binding.penalty(0.5))
        True
    """
    terms = []
    for entry in _parameters(binding):
        _check_action(entry)
        W = entry.tensor(binding.model)
        W = W.to(accumulation_dtype(W.dtype))
        terms += [squared_norm(act_on_weight(entry.projector, g, W) - W) for g in elements]
    return strength / (4 * len(elements)) * torch.stack(terms).sum()


def _parameters(binding: Binding) -> list[Entry]:
    return [entry for entry in binding.entries if entry.kind != "buffer"]


def _check_action(entry: Entry) -> None:
    """Whether the axes of the projector say how the group acts on the whole tensor."""
    P = entry.projector
    if not (P.acts_by_axes and P.exact):
        raise ArgumentError(
            "subject",
            expected=f"an action of {P.group} on {entry.name}, to sample from",
            got=P.reason or f"none on an axis of {with_article(type(P).__name__)}",
            advice="Use a finite group that maps pixels onto pixels, or sampled_activation.",
        )
