"""Every public name that takes arguments."""

from tests.attack import groups, measured, methods, models, optimizers, projectors, trainers

ROOMS = (groups, projectors, models, measured, methods, optimizers, trainers)
TARGETS = tuple(target for room in ROOMS for target in room.TARGETS)
