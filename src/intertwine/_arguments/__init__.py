"""Checks of the arguments that every part of the library takes, each written once."""

from intertwine._arguments.arrays import (
    check_dense,
    is_absent,
    permutation_table,
    plain_array,
    real_array,
    signs_in_indices,
    square_matrices,
)
from intertwine._arguments.values import (
    check_choice,
    check_function,
    check_generator,
    check_instance,
    check_name,
    check_sides,
    flag,
    integer,
    is_integer,
    kernel_sides,
    real_number,
)

__all__ = [
    "check_choice",
    "check_dense",
    "check_function",
    "check_generator",
    "check_instance",
    "check_name",
    "check_sides",
    "flag",
    "integer",
    "is_absent",
    "is_integer",
    "kernel_sides",
    "permutation_table",
    "plain_array",
    "real_array",
    "real_number",
    "signs_in_indices",
    "square_matrices",
]
