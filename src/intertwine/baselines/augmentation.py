"""Augmentation: each sample and its target moved by a random element of the group."""

import torch

from intertwine.baselines.method import Method
from intertwine.baselines.per_sample import draw_per_sample


class Augmentation(Method):
    """``min_W E_g L(f_W(g x), g y)``, one uniform random g for each sample of each batch.

    The expected gradient is that of the loss averaged over orbits, whose minimum over all functions is equivariant; the
    network is so only as far as it has learnt it, and where the data break the symmetry the loss is another one.

    ``act_out`` moves the targets too: ``leave`` for labels.

    Source:
        Folklore; the orbit average is analysed in Chen, Dobriban and Lee 2020, "A group-theoretic framework for data
        augmentation", arXiv 1907.10905.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Augmentation, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> moved, target = Augmentation(subject).batch(x, x)  # each sample moves with its target
        >>> torch.equal(moved, target), torch.equal(moved, x)
        (True, False)
    """

    name = "augmentation"
    label = "augmentation"
    source = "Chen, Dobriban and Lee 2020, arXiv 1907.10905"

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = draw_per_sample(self.subject.group, len(x), self.generator)
        return drawn.act(self.subject.act_in, x), drawn.act(self.subject.act_out, y)
