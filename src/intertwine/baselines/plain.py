"""Plain training: the control without any symmetry."""

from intertwine.baselines.method import Method


class Plain(Method):
    """The task's loss and nothing else: ``min_W L(W)``.

    Source:
        The control of every comparison.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Plain, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> Plain(subject).total_loss(torch.tensor(1.5), x, model(x)).item()
        1.5
    """

    name = "plain"
    label = "plain"
    source = "torch"
