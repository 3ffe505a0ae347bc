"""Without a trainer's package the error names the extra that brings it, and nothing else needs one."""

import subprocess
import sys

import pytest

from intertwine.errors import MissingExtraError
from intertwine.training import accelerated, lightning_callback, transformers_callback
from intertwine.training.lightning_callback import _callback_class
from tests.training.models import net


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("lightning", "lightning", lambda binding: lightning_callback(binding, decay=1.0, package="lightning")),
        ("pytorch_lightning", "lightning", lambda b: lightning_callback(b, decay=1.0, package="pytorch_lightning")),
        ("transformers", "transformers", lambda binding: transformers_callback(binding, decay=1.0)),
        ("accelerate", "accelerate", lambda binding: accelerated(None, None, binding, decay=1.0)),
    ],
)
def test_the_error_names_the_extra(monkeypatch, package, extra, call):
    _callback_class.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}: .*pip install 'intertwine\[{extra}\]'"):
        call(net()[1])


def test_no_trainer_is_imported_before_it_is_used():
    names = "('lightning', 'pytorch_lightning', 'transformers', 'accelerate')"
    code = f"import sys, intertwine.training\nprint([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
