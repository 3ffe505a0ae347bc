"""Errors about a types file speak of what stands in the file: its keys and its texts, no objects of Python."""

import re

import pytest
from torch import nn

import intertwine as iw
from intertwine.binding.types_file import read_types
from intertwine.binding.words_of_files import in_words_of


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.n = nn.LayerNorm(16)
        self.c = nn.Conv2d(3, 8, 3)


@pytest.mark.parametrize(
    ("body", "key", "said"),
    [
        (
            '[modules]\na = "2xregular"',
            "modules.'a'",
            '{in = "...", out = "..."} for a module; got one representation, 2xregular',
        ),
        ('[modules]\nn = {in = "4xregular", out = "regular"}', "modules.'n'", "got 2 of them, 4xregular and regular"),
        (
            '[modules]\na = {in = "2xregular", out = "4xregular", space = "standard"}',
            "modules.'a'.space",
            "expected nothing for a Linear; got 'standard'",
        ),
        (
            '[modules]\nc = {in = "3xtrivial", out = "2xregular", space = "regular"}',
            "modules.'c'.space",
            "as the kernel has 2 axes; got 'regular'",
        ),
        ('[parameters]\n"a.weight" = ["4xregular", "", ""]', "parameters.'a.weight'", 'from 4xregular, "", "".'),
        ('[parameters]\n"a.weight" = ["", ""]', "parameters.'a.weight'", "or use a count of them such as '5xtrivial'"),
        (
            '[parameters]\n"a.bias" = "4xregular"\n[modules]\na = {in = "2xregular", out = "4xregular"}',
            "parameters.'a.bias'",
            "after key modules.'a'",
        ),
        ('[modules]\nb = "regular"', None, "got 'b'"),
        ('[modules]\na = {in = "regular", out = "4xregular"}', "modules.'a'", "got dimension 4, from regular."),
    ],
)
def test_errors_of_bind_name_the_key_and_say_the_text(tmp_path, body, key, said):
    path = tmp_path / "types.toml"
    path.write_text(f'group = "C4"\n{body}\n')
    with pytest.raises(iw.IntertwineError) as caught:
        iw.bind(Net(), read_types(path))
    error = in_words_of(path, caught.value)
    assert type(error) is type(caught.value)
    assert error.argument == (str(path) if key is None else f"{path}, key {key}")
    assert said in str(error)
    assert not re.search(r"Representation|tuple|None|Typed|types\[", str(error)), str(error)


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ('{irreps = "4x0", basis = "e3x"}', ".basis", "expected nothing, as irreps of C4 have one basis; got 'e3x'"),
        ("{permutation = [1, 2, 3, 0], signs = [1, 1]}", ".signs", "expected 4 signs, one a feature; got shape (2,)"),
        ('{permutation = ["a"]}', ".permutation", "got ['a']"),
    ],
)
def test_errors_of_a_table_name_its_key_and_say_what_stands_there(tmp_path, table, key, said):
    path = tmp_path / "types.toml"
    path.write_text(f'group = "C4"\n[representations]\nq = {table}\n[modules]\na = {{in = "q", out = "q"}}\n')
    with pytest.raises(iw.IntertwineError) as caught:
        read_types(path)
    assert caught.value.argument == f"{path}, key representations.'q'{key}"
    assert said in str(caught.value)


def test_other_errors_stay_as_they_are(tmp_path):
    error = iw.errors.ArgumentError("generator", expected="a generator", got="None")
    assert in_words_of(tmp_path / "no file", error) is error
