"""The penalty on activations, estimated from sampled elements of the group."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from intertwine._arguments import integer
from intertwine._numerics import squared_norm
from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError, UnknownNameError, listing


class SampledActivation(Method):
    """``L + s/2 mean_g sum_k mean |f_k(g x) - g f_k(x)|^2`` over n random elements, drawn anew at each step.

    f_k are the output and the outputs of the modules that ``subject.hidden`` names; the inner mean is over samples and
    entries, so that sites of any size count alike. Each element costs a further forward pass, and backward through it;
    the gradient flows through both sides. All samples of a batch share the elements of a step.

    ``f_k(x)`` are those of the forward pass that made ``output``, remembered by hooks, which ``finish`` takes off. A
    module that is called several times counts with its last call.

    Args:
        subject: as in ``Method``.
        strength: s.
        generator: draws the elements.
        num_samples: n.

    Raises:
        ArgumentError: the group is not compact.
        UnknownNameError: ``subject.hidden`` names a module that the model does not have.

    Source:
        The sample-based rival in Berndt and Stuehmer, arXiv 2601.05028; on outputs alone, squared, a measure of
        Elhag et al. 2024, arXiv 2410.17878.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import SampledActivation, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> _ = subject.binding.project_()
        >>> SampledActivation(subject, strength=1.0).penalty(x, model(x)).item() < 1e-10
        True
    """

    name = "sampled_activation"
    label = "sampled, activations"
    source = "Berndt and Stuehmer 2026, arXiv 2601.05028"
    tuned = True

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
        super().__init__(subject, strength, generator=generator)
        self.num_samples = integer("num_samples", num_samples, 1)
        self._activations: dict[str, torch.Tensor] = {}
        self._output: torch.Tensor | None = None
        modules = dict(self.model.named_modules())
        unknown = [name for name in subject.hidden if name not in modules]
        if unknown:
            raise UnknownNameError("subject.hidden", expected="names of modules of the model", got=listing(unknown))
        hidden = [modules[name].register_forward_hook(_hook(partial(self._keep, name))) for name in subject.hidden]
        self._handles = [*hidden, self.model.register_forward_hook(_hook(self._keep_output))] if hidden else []

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        if self._handles and self._output is not output:
            output = self.model(x)
        still = dict(self._activations)
        terms = []
        for g in self.subject.group.sample(self.num_samples, generator=self.generator):
            moved = self.model(self.subject.act_in(g, x))
            terms.append(mean_square(moved - self.subject.act_out(g, output)))
            for name, action in self.subject.hidden.items():
                terms.append(mean_square(self._activations[name] - action(g, still[name])))
        # A graph that is kept would keep the memory of its batch.
        self._activations.clear()
        self._output = None
        return self.strength / (2 * self.num_samples) * torch.stack(terms).sum()

    def finish(self) -> nn.Module:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        return self.model

    def _keep(self, name: str, output: torch.Tensor) -> None:
        self._activations[name] = output

    def _keep_output(self, output: torch.Tensor) -> None:
        self._output = output


def mean_square(difference: torch.Tensor) -> torch.Tensor:
    """Mean of ``|d|^2`` over all entries."""
    return squared_norm(difference) / max(1, difference.numel())


def _hook(keep: Callable[[torch.Tensor], None]) -> Callable[[nn.Module, Any, Any], None]:
    """A forward hook that hands on the output."""

    def hook(module: nn.Module, args: Any, output: Any) -> None:
        keep(output)

    return hook
