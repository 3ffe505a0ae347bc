"""What the rotation groups share: infinitely many elements, and a Haar measure."""

from intertwine.groups.product import FactorGroup


class CompactLieGroup(FactorGroup):
    """A compact Lie group of positive dimension."""

    @property
    def is_finite(self) -> bool:
        return False

    @property
    def is_compact(self) -> bool:
        return True
