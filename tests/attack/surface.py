"""Every public name that takes arguments."""

from tests.attack import groups, models, projectors

TARGETS = groups.TARGETS + projectors.TARGETS + models.TARGETS
