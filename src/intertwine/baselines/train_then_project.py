"""Plain training, projected at the end."""

from torch import nn

from intertwine.baselines.method import Method


class TrainThenProject(Method):
    """Plain training, then ``W <- PW`` once, the nearest equivariant weights.

    The plain projection, norms not restored: rescaling belongs to initial draws, where the lost part was noise; of
    trained weights ``PW`` is the nearest equivariant point, and any other would be a further change. ``finish`` changes
    the weights of ``subject.model`` in place, so evaluate what needs the unprojected ones first.

    Source:
        The obvious control; as "projection" in Elesedy and Zaidi 2021, "Provably strict generalisation benefit for
        equivariant models", arXiv 2102.10333, where it is optimal for linear models and invariant data.
    """

    name = "train_then_project"
    label = "train, then project"
    source = "Elesedy and Zaidi 2021, arXiv 2102.10333"

    def finish(self) -> nn.Module:
        self.subject.binding.project_()
        return self.model
