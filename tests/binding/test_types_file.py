from pathlib import Path

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.binding.representation_text import parse_group, parse_representation
from intertwine.binding.types_file import read_types
from intertwine.errors import ArgumentError, IntertwineError, NotARepresentationError, UnknownNameError

DIGITS = """
group = "C4"

[modules]
"0" = {in = "grid(8, 8)", out = "4xregular"}
"2" = {in = "4xregular", out = "10xtrivial"}

[parameters]
embedding = ["", "4xregular"]
shift = "4xregular"
"""


def write(tmp_path, text):
    path = tmp_path / "types.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_file_becomes_what_bind_takes(tmp_path):
    G = iw.Cyclic(4)
    hidden = 4 * G.regular()
    assert read_types(write(tmp_path, DIGITS)) == {
        "0": (G.grid(8, 8), hidden),
        "2": (hidden, 10 * G.trivial()),
        "embedding": (None, hidden),
        "shift": (hidden,),
    }


def test_bind_takes_it(tmp_path):
    class Model(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
            self.embedding = nn.Parameter(torch.zeros(7, 16))
            self.shift = nn.Parameter(torch.zeros(16))

    binding = iw.bind(Model(), read_types(write(tmp_path, DIGITS)))
    assert [entry.name for entry in binding] == ["0.weight", "0.bias", "2.weight", "2.bias", "embedding", "shift"]
    assert binding.unaccounted == {}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("C4", iw.Cyclic(4)),
        ("Cyclic(4)", iw.Cyclic(4)),
        ("D4", iw.Dihedral(4)),
        ("Dihedral(12)", iw.Dihedral(12)),
        ("S5", iw.Symmetric(5)),
        ("SO(2)", iw.SO(2)),
        ("SO3", iw.SO(3)),
        ("O(2)", iw.O(2)),
        ("O(3)", iw.O(3)),
        ("T", iw.Tetrahedral()),
        ("Th", iw.Tetrahedral(reflections=True)),
        ("O", iw.Octahedral()),
        ("Oh", iw.Octahedral(reflections=True)),
        ("Icosahedral", iw.Icosahedral()),
        ("Ih", iw.Icosahedral(reflections=True)),
        ("Trivial", iw.Trivial()),
        ("C4 * C2", iw.Cyclic(4) * iw.Cyclic(2)),
        ("Mirror", iw.Mirror("x")),
        ("Mirror(y)", iw.Mirror("y")),
        ("Mirror(z, 3) * S3", iw.Mirror("z", dim=3) * iw.Symmetric(3)),
    ],
)
def test_group_names(name, group):
    assert parse_group(name) == group


@pytest.mark.parametrize(
    "group",
    [
        iw.Cyclic(4),
        iw.Dihedral(4),
        iw.SO(3),
        iw.O(2),
        iw.O(3),
        iw.Octahedral(),
        iw.Symmetric(4),
        iw.Mirror(),
        iw.Mirror("z", 3),
    ],
    ids=str,
)
def test_group_names_round_trip(group):
    assert parse_group(str(group)) == group


@pytest.mark.parametrize(
    ("group", "text", "expected"),
    [
        ("SO(3)", "8x0 + 4x1", lambda G: G.irreps("8x0 + 4x1")),
        ("SO(3)", "8x0+4x1", lambda G: G.irreps("8x0 + 4x1")),
        ("SO(3)", " standard ", lambda G: G.standard()),
        ("C4", "regular", lambda G: G.regular()),
        ("C4", "2 x regular+trivial+3xtrivial", lambda G: 2 * G.regular() + 4 * G.trivial()),
        ("D4", "0+ + 2x0- + regular + 0+", lambda G: G.irreps("0+ + 2x0-") + G.regular() + G.irreps("0+")),
        ("D4", "0++regular+0+", lambda G: G.irreps("0+") + G.regular() + G.irreps("0+")),
        ("O(2)", "2x0+ + 1", lambda G: G.irreps("2x0+ + 1")),
        ("C4", "2xgrid(3,3) + 1", lambda G: 2 * G.grid(3, 3) + G.irreps("1")),
        ("Oh", "grid(2, 2, 2)", lambda G: G.grid(2, 2, 2)),
        ("S5", "2xdefining", lambda G: 2 * G.defining()),
        ("C4", "0xregular + 2", lambda G: G.irreps("2")),
    ],
)
def test_representations(group, text, expected):
    G = parse_group(group)
    assert parse_representation(G, text) == expected(G)


ROBOT = """
group = "Mirror(x)"

[representations]
legs = {permutation = [-3, 4, 5, -0.0001, 1, 2]}
same = {permutation = [[3, 4, 5, 0, 1, 2]], signs = [[-1, 1, 1, -1, 1, 1]]}
state = "2xlegs + odd + even"

[modules]
a = {in = "state", out = "4xregular + same"}
b = {in = "legs", out = {permutation = [1, 0]}}
camera = {in = "even", out = "regular", space = "even + odd"}
norm = {permutation = [1, 0]}

[parameters]
table = ["", "permutation[-3 4 5 -0 1 2]"]
"""


def test_signed_permutations_names_and_space(tmp_path):
    G = iw.Mirror("x")
    legs = G.permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]])
    types = read_types(write(tmp_path, ROBOT))
    assert types["a"] == (2 * legs + G.irreps("odd + even"), 4 * G.regular() + legs)
    assert types["b"] == (legs, G.permutation([[1, 0]]))
    assert types["norm"] == G.permutation([[1, 0]])
    assert types["table"] == (None, legs)
    camera = types["camera"]
    assert (camera.rep_in, camera.rep_out, camera.space) == (G.trivial(), G.regular(), G.irreps("even + odd"))
    conv = nn.Conv2d(1, 2, 3)
    assert str(iw.bind(conv, {"": camera})).endswith("space: mirror y -> -y")


@pytest.mark.parametrize(("name", "order"), [("C3", 3), ("C5", 5), ("O(2)", 2)])
def test_an_index_map_says_where_from_and_a_permutation_where_to(tmp_path, name, order):
    """``(g x)[i] = signs[i] x[index_map[i]]``; of higher order than two it is the inverse permutation."""
    G = parse_group(name)
    index_map = [(i + 1) % order for i in range(order)] + [order]
    text = f'group = "{name}"\n[parameters]\nw = {{index_map = {index_map}}}\nv = {{permutation = {index_map}}}\n'
    types = read_types(write(tmp_path, text))
    x = torch.arange(order + 1.0)
    g = G.generators[0]
    torch.testing.assert_close(types["w"][0].act(g, x), x[index_map])
    torch.testing.assert_close(types["v"][0].act(g, x)[index_map], x)


def test_signs_of_an_index_map_belong_to_where_it_fills(tmp_path):
    text = 'group = "C4"\n[parameters]\nw = {index_map = [1, 0], signs = [-1, 1]}\nv = {index_map = [-1, 0]}\n'
    types = read_types(write(tmp_path, text))
    x = torch.tensor([2.0, 3.0])
    assert types["w"] == types["v"]
    assert types["w"][0].act(parse_group("C4").generators[0], x).tolist() == [-3.0, 2.0]


def test_the_example_of_the_guide_is_the_file_beside_it():
    guide = Path(__file__).parents[2] / "docs" / "guide"
    text = (guide / "quadruped.toml").read_text()
    assert text in (guide / "command-line.md").read_text()
    assert read_types(guide / "quadruped.toml")["body.0"][0].dim == 20


@pytest.mark.parametrize("rep", ["permutation[1 0 -2]", "2xpermutation[-1 -0] + even"])
def test_permutations_round_trip(rep):
    assert str(parse_representation(iw.Mirror(), rep)) == rep


@pytest.mark.parametrize("text", ["2xregular + 0", "grid(3, 3) + 4x1 + regular", "8x0 + 4x1"])
def test_representations_round_trip(text):
    rep = parse_representation(iw.Cyclic(4), text)
    assert parse_representation(iw.Cyclic(4), str(rep)) == rep


BAD = [
    ("group = ", ArgumentError, r"types.toml: expected a TOML file in UTF-8"),
    ("", ArgumentError, "key group: expected C4 or Cyclic"),
    ('group = "C4"', ArgumentError, "at least one name under"),
    (
        'group = "C4"\nmodule = 1',
        UnknownNameError,
        "key module: expected one of group, modules, parameters, representations; got 'module'",
    ),
    ("group = 4", ArgumentError, r"key group: .*got 4"),
    ('group = "E8"', UnknownNameError, r"key group: expected C4 or Cyclic\(4\).*got 'E8'"),
    ('group = "C4 + C2"', UnknownNameError, "got 'C4 \\+ C2'"),
    ('group = "C0"\n[modules]', ArgumentError, "key group"),
    ('group = "C4"\nmodules = 3', ArgumentError, "key modules: expected a table; got 3"),
    (
        'group = "C4"\n[modules]\n"0" = ["regular"]',
        ArgumentError,
        "key modules.'0': expected a table .in = .* or one text",
    ),
    ('group = "C4"\n[modules]\n"0" = {in = "regular"}', ArgumentError, "key modules.'0': expected a table .in = "),
    (
        'group = "C4"\n[modules]\n"0" = {in = "regular", out = 3}',
        ArgumentError,
        "key modules.'0'.out: expected a sum of irreps.*got 3",
    ),
    ('group = "C4"\n[modules]\n"0" = {in = "regular", out = ""}', ArgumentError, "key modules.'0'.out"),
    (
        'group = "C4"\n[modules]\n"0" = {in = "regulr", out = "0"}',
        UnknownNameError,
        "key modules.'0'.in: .*regulr.*4xregular",
    ),
    ('group = "C4"\n[modules]\n"0" = {in = "regular +", out = "0"}', ArgumentError, "ends in"),
    ('group = "SO(3)"\n[modules]\n"0" = {in = "regular", out = "0"}', IntertwineError, "key modules.'0'.in"),
    ('group = "C4"\n[parameters]\nw = []', ArgumentError, "key parameters.'w': expected a list"),
    ('group = "C4"\n[parameters]\nw = ["regular", 3]', ArgumentError, r"key parameters.'w'\[1\]"),
    ('group = "C4"\n[modules]\nw = {in = "0", out = "0"}\n[parameters]\nw = "0"', ArgumentError, "a name typed once"),
    ('group = "C4"\n[parameters]\nw = "grid(100000, 100000)"', ArgumentError, "at most 1048576 pixels"),
    ('group = "C3"\n[parameters]\nw = "grid(3, 3)"', IntertwineError, "key parameters.'w'"),
    ('group = "Mirror(w)"', ArgumentError, "key group: expected 'x', 'y' or 'z'"),
    ('group = "Mirror(z)"', ArgumentError, "key group: .*Say dim=3"),
    ('group = "C2"\nrepresentations = 3', ArgumentError, "key representations: expected a table; got 3"),
    ('group = "C2"\n[representations]\nregular = "0"', ArgumentError, "key representations.'regular': .*another name"),
    (
        'group = "Mirror"\n[representations]\nodd = "even"',
        ArgumentError,
        r"representations.'odd': expected no irrep of",
    ),
    ('group = "C2"\n[representations]\n"a b" = "0"', ArgumentError, "key representations.'a b': expected letters"),
    (
        'group = "C2"\n[representations]\nlegs = {permutation = [3, 4, 5, 0, 1, 2], signs = [-1, 1, 1, 1, 1, 1]}',
        NotARepresentationError,
        "key representations.'legs'.signs: .*signs of 0 and 3 that differ",
    ),
    ('group = "C2"\n[representations]\na = {permutation = [1, 0], sign = [1, 1]}', ArgumentError, "signs if wanted"),
    (
        'group = "C2"\n[representations]\na = {signs = [1, 1]}',
        ArgumentError,
        "representations.'a': expected a text, or",
    ),
    ('group = "C2"\n[representations]\na = {permutation = [1, 1]}', ArgumentError, r"'a'.permutation: .*got \[1, 1\]"),
    (
        'group = "C2"\n[representations]\na = {permutation = "10"}',
        IntertwineError,
        "'a'.permutation: expected permutations",
    ),
    (
        'group = "C2"\n[representations]\na = {index_map = [-1, -0.0001], signs = [1, 1]}',
        ArgumentError,
        "'a'.signs: expected signs in the indices or apart; got both",
    ),
    (
        'group = "C4"\n[representations]\na = {index_map = [[0], [0]]}',
        IntertwineError,
        "'a'.index_map: expected 1 permutation of",
    ),
    (
        'group = "C2"\n[modules]\nw = {in = "0", out = "0", spaec = "0"}',
        UnknownNameError,
        "key spaec: .*space.*got 'spaec'",
    ),
    ('group = "C2"\n[modules]\nw = {in = "0", out = "0", space = 3}', ArgumentError, "'w'.space: expected a sum"),
    ('group = "C2"\n[representations]\nlegs = "0"\n[parameters]\nw = "leg"', UnknownNameError, "This file names legs"),
    ('group = "C2"\n[parameters]\nw = "permutation[0 -1 -]"', IntertwineError, "key parameters.'w'"),
]


@pytest.mark.parametrize(("text", "error", "message"), BAD)
def test_bad_files_name_the_file_and_the_key(tmp_path, text, error, message):
    with pytest.raises(error, match=message) as caught:
        read_types(write(tmp_path, text))
    assert "types.toml" in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(ArgumentError, match=r"nowhere\.toml: expected a TOML file; got No such file"):
        read_types(tmp_path / "nowhere.toml")
    with pytest.raises(ArgumentError, match=r"expected a TOML file"):
        read_types(tmp_path)
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArgumentError, match="UTF-8"):
        read_types(tmp_path / "b.toml")


@pytest.mark.parametrize(
    "evil",
    [
        "__import__('pathlib').Path('{mark}').touch()",
        "Cyclic(__import__('pathlib').Path('{mark}').touch() or 4)",
        "{{{{ ''.__class__ }}}}",
        "C4; import os",
        "$(touch {mark})",
        "__class__",
    ],
)
def test_nothing_in_a_file_is_executed(tmp_path, evil):
    mark = tmp_path / "mark"
    value = evil.format(mark=mark)
    files = [
        f'group = """{value}"""\n[parameters]\nw = "0"',
        f'group = "C4"\n[parameters]\nw = """{value}"""',
        f'group = "C4"\n[modules]\n"0" = {{in = "grid({value})", out = "0"}}',
    ]
    for text in files:
        with pytest.raises(IntertwineError):
            read_types(write(tmp_path, text))
    assert not mark.exists()


def test_errors_keep_their_kind():
    assert issubclass(NotARepresentationError, IntertwineError)
    with pytest.raises(UnknownNameError):
        parse_representation(iw.Cyclic(4), "7")


def test_norm_layers_have_one_representation(tmp_path):
    path = tmp_path / "types.toml"
    path.write_text('group = "D4"\n[modules]\n"0" = {in = "3x0+", out = "2xregular"}\n"1" = "2xregular"\n')
    types = read_types(path)
    assert types["1"] == 2 * iw.Dihedral(4).regular()
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.BatchNorm2d(16))
    assert iw.bind(model, types).unaccounted == {}


def test_a_mark_at_the_start_of_the_file_is_read_over(tmp_path):
    """Editors of Windows write U+FEFF in front of UTF-8."""
    path = tmp_path / "types.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DIGITS.encode())
    assert read_types(path) == read_types(write(tmp_path, DIGITS))


@pytest.mark.parametrize("text", ["permutation[1, 0, -2]", "permutation[1,0,-2]", "permutation[ 1 , 0 -2 ]"])
def test_commas_separate_the_entries_of_a_permutation(text):
    G = iw.Cyclic(2)
    assert parse_representation(G, text) == G.permutation([[1, 0, 2]], signs=[[1, 1, -1]])
