"""What a decay reads from its model and its optimiser before a step, kept for as long as both hold the same."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from intertwine.decay.checks import Strengths
from intertwine.decay.targets import Target

Found = list[tuple[Target, list[torch.Tensor], Strengths]]


class Reading:
    """The parameters that train each target, and the param group of each.

    To find them takes as long as the arithmetic of small weights. So they are kept, with everything that they rest
    on, and before each step it is seen whether that is still so: the modules on the way to each parameter, the
    parameter itself and whether it is frozen, the param groups and what is in them. All of this goes by identity.

    Args:
        optimizer: the one with the hooks.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.found: Found = []
        self.groups: dict[int, dict[str, Any]] = {}
        self.is_stored = False
        self._kept = False
        self._group_members: list[tuple[dict[str, Any], list[torch.Tensor], bool]] = []
        self._ways: list[tuple[nn.Module, str, nn.Module]] = []
        self._leaves: list[tuple[nn.Module, str, torch.Tensor, bool]] = []

    def take(self, acting: Sequence[tuple[Target, Strengths]]) -> None:
        """Reads the model and the optimiser now; call ``keep`` once what was found is known to be right."""
        self._kept = self.is_stored = False
        self.found = [(target, target.trained(), strengths) for target, strengths in acting]
        self._read_groups()

    def keep(self) -> None:
        """Keeps it, where every target is a parameter of its module: a parametrisation is read anew in each step."""
        ways: dict[tuple[int, str], tuple[nn.Module, str, nn.Module]] = {}
        self._leaves = []
        for target, _, _ in self.found:
            module = target.model
            for name in target.entry.path:
                child = module.get_submodule(name)
                ways[id(module), name] = (module, name, child)
                module = child
            stored = module._parameters.get(target.entry.attribute)
            if type(stored) is nn.Parameter:
                self._leaves.append((module, target.entry.attribute, stored, stored.requires_grad))
        self._ways = list(ways.values())
        self.is_stored = self._kept = len(self._leaves) == len(self.found)

    def is_current(self) -> bool:
        """Whether what was kept is what would be found now."""
        # No function is called once a parameter: that would take longer than the comparisons.
        if not self._kept or not self.has_same_groups():
            return False
        try:
            for module, name, child in self._ways:
                if module._modules[name] is not child:
                    return False
            for owner, attribute, W, trains in self._leaves:
                if owner._parameters[attribute] is not W or W.requires_grad is not trains:
                    return False
        except KeyError:
            return False
        return True

    def has_same_groups(self) -> bool:
        """Whether the optimiser's param groups are those that were read, with the same parameters."""
        groups = self._optimizer.param_groups
        if len(groups) != len(self._group_members):
            return False
        for group, (known, members, rated) in zip(groups, self._group_members, strict=True):
            params = group["params"]
            if group is not known or len(params) != len(members) or ("lr" in group) is not rated:
                return False
            for W, member in zip(params, members, strict=True):
                if W is not member:
                    return False
        return True

    def group_of(self) -> dict[int, dict[str, Any]]:
        """The param group of each parameter by its id, read anew if the groups have changed."""
        if not self.has_same_groups():
            self._kept = False
            self._read_groups()
        return self.groups

    def _read_groups(self) -> None:
        groups = self._optimizer.param_groups
        self._group_members = [(group, list(group["params"]), "lr" in group) for group in groups]
        self.groups = {id(W): group for group, members, _ in self._group_members for W in members}
