"""What a step goes through: files entered and Python calls, which no load of the machine changes."""

import pytest

from benchmarks.calls import WORKS, calls


@pytest.mark.parametrize(
    ("name", "files", "most"),
    [
        ("bind, three linear layers between copies of one irrep of SO(3)", 24, 200),
        ("penalty of one weight 1184 x 1184 under SO(3)", 16, 50),
        ("shrink_ of the same weight", 6, 40),
    ],
)
def test_hot_paths_ask_nothing_twice(name: str, files: int, most: int) -> None:
    found = calls(WORKS[name]())
    assert found.total <= most, found.by_place.most_common(12)
    assert len(found.files) <= files, found.files
    assert not [place for place in found.by_place if "irrep_dim" in place[1]]
