"""Plain training: the control without any symmetry."""

from intertwine.baselines.method import Method


class Plain(Method):
    """The task's loss and nothing else: ``min_W L(W)``.

    Source:
        The control of every comparison.
    """

    name = "plain"
    label = "plain"
    source = "torch"
