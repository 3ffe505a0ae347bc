"""Weight decay on the typed weights: the penalty with the same strength on both of its parts."""

from typing import Any

from intertwine.baselines.method import Method
from intertwine.errors import ArgumentError, listing


class WeightDecay(Method):
    """``s/2 |W|^2 = s/2 |W-PW|^2 + s/2 |PW|^2`` over the typed parameters, through the optimiser's ``weight_decay``.

    The control for the penalty: s and s_G equal, so that nothing in it knows of the group. Parameters that are not
    typed have no decay, as they have no penalty.

    The param group's ``weight_decay`` is this L2 term in ``torch.optim.SGD``, ``Adam`` and their like. ``AdamW``
    decouples it, ``W <- W - lr s W``, which is another method.

    Raises:
        ArgumentError: a typed tensor is computed by a parametrisation, so that the optimiser does not hold it.

    Source:
        Krogh and Hertz 1991, "A simple weight decay can improve generalization"; torch's ``weight_decay``.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Subject, WeightDecay
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> groups = WeightDecay(subject, strength=0.1).parameter_groups()
        >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
        [(2, 0.1)]
    """

    name = "weight_decay"
    label = "weight decay"
    source = "torch"
    tuned = True

    def parameter_groups(self) -> list[dict[str, Any]]:
        binding = self.subject.binding
        entries = [entry for entry in binding.entries if entry.kind != "buffer"]
        computed = [entry.name for entry in entries if entry.is_computed(binding.model)]
        if computed:
            raise ArgumentError(
                "subject",
                expected="typed tensors that the optimiser updates",
                got=f"{listing(computed)}, computed by a parametrisation",
                advice="Add strength/2 |W|^2 to the loss instead: binding.penalty(s, s).",
            )
        typed = {id(entry.tensor(binding.model)) for entry in entries}
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) in typed], "weight_decay": self.strength},
            {"params": [p for p in trained if id(p) not in typed], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]
