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

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Subject, TrainThenProject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> trained = TrainThenProject(subject).finish()
        >>> float(iw.equivariance_error(trained, V, V, x)) < 1e-5
        True
    """

    name = "train_then_project"
    label = "train, then project"
    source = "Elesedy and Zaidi 2021, arXiv 2102.10333"

    def finish(self) -> nn.Module:
        self.subject.binding.project_()
        return self.model
