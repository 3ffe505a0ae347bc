"""Every public name that takes arguments."""

from tests.attack import groups, measured, methods, models, optimizers, projectors

TARGETS = groups.TARGETS + projectors.TARGETS + models.TARGETS + measured.TARGETS + methods.TARGETS + optimizers.TARGETS
