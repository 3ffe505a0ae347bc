"""Policies for hidden features that go by the number of the unknown: given ones, and the default ones, recorded."""

from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.policy import HiddenByUnknown, default_policy


class Given(HiddenByUnknown):
    """One representation an unknown, in order."""

    def __init__(self, representations: tuple[Representation, ...]) -> None:
        self._representations = representations

    def representation(self, number: int, size: int, made: str) -> Representation:
        return self._representations[number]


class RecordedDefault(HiddenByUnknown):
    """What the default policy says, kept in ``given``."""

    def __init__(self, group: Group) -> None:
        self._policy = default_policy(group)
        self.given: list[Representation] = []

    def representation(self, number: int, size: int, made: str) -> Representation:
        rep = self._policy(size)
        self.given.append(rep)
        return rep
