"""What runs as one call: modules and Python functions that have a rule of their own. And TorchScript, undone."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

from intertwine.errors import ArgumentError, listing
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.whole.own_irreps import accepts, knows_its_irreps, own_irreps

# Handed a module or function with a rule and what it was called with; calls it.
OnWhole = Callable[["Whole", tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class Whole:
    """A module, or a Python function, that is one call of a run.

    Attributes:
        name: of the class or function.
        call: what it does.
        rule: ``(ctx, out, *args, **kwargs) -> axes``, the module first among the arguments.
        module: None for a function.
    """

    name: str
    call: Callable[..., Any]
    rule: Rule
    module: nn.Module | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*self._own, *args, **kwargs)

    def axes(self, ctx: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
        """What the rule says of a call."""
        return self.rule(ctx, out, *self._own, *args, **kwargs)

    @property
    def _own(self) -> tuple[nn.Module, ...]:
        return () if self.module is None else (self.module,)


class Seams:
    """Where a model is watched from outside alone.

    Args:
        model: the model.
        rules: the user's, by class of modules or by function; those of torch's own functions are no concern of this.
    """

    def __init__(self, model: nn.Module, rules: Mapping[Any, Rule]) -> None:
        self._model = model
        self._rules = rules

    def rule_of(self, kind: type) -> Rule | None:
        """The rule of a class of modules."""
        for base in kind.__mro__:
            if base in self._rules:
                return self._rules[base]
        return own_irreps if knows_its_irreps(kind) else None

    def refuse_scripted(self) -> None:
        """Whether every module shows its calls, or is inside one that is seen from outside.

        Raises:
            ArgumentError: one is TorchScript, of which nothing is seen.
        """
        whole = [name for name, module in self._model.named_modules() if self.rule_of(type(module)) is not None]
        scripted = [
            name
            for name, module in self._model.named_modules()
            if isinstance(module, torch.jit.ScriptModule)
            and not any(name == outer or name.startswith(f"{outer}.") for outer in whole)
        ]
        if scripted:
            raise ArgumentError(
                "model",
                expected="modules of Python code, whose torch functions can be watched",
                got=f"scripted ones: {listing(name or '(the model)' for name in scripted)}",
                advice="Bind the model before torch.jit.script, or give a class that holds them a rule (rules=).",
            )

    @contextmanager
    def opened(self, on_whole: OnWhole) -> Iterator[None]:
        """Inside, modules and functions with a rule call ``on_whole``, and scripted functions run as written."""
        kinds = {type(module) for module in self._model.modules()}
        loaded = sys.modules.get("e3nn.o3")
        if loaded is not None:  # its functions make modules as they run
            kinds.add(loaded.SphericalHarmonics)
        bases = {base for kind in kinds for base in kind.__mro__ if self.rule_of(base) is not None}
        with ExitStack() as stack:
            for kind, forward in [(kind, kind.forward) for kind in bases if hasattr(kind, "forward")]:
                rule = self.rule_of(kind)
                if rule is not None:
                    stack.enter_context(_replaced(kind, "forward", _whole_forward(forward, rule, on_whole)))
            for holder, name, value in list(self._globals(kinds)):
                stack.enter_context(_replaced(holder, name, self._shown(value, on_whole)))
            yield

    def _globals(self, kinds: set[type]) -> Iterator[tuple[ModuleType, str, Any]]:
        """Names of Python modules that stand for functions with a rule or for scripted functions."""
        packages = {kind.__module__.partition(".")[0] for kind in kinds} | {"e3nn"}
        functions = {id(key) for key in self._rules if isinstance(key, FunctionType)}
        own = ("torch", "intertwine")
        packages = {package for package in packages if package in sys.modules and package not in own}
        if not packages and not functions:
            return
        inside = tuple(f"{package}." for package in (own if functions else packages))
        for path, holder in list(sys.modules.items()):
            # Every module that is loaded comes through here.
            among = path in (own if functions else packages) or path.startswith(inside)
            if among is bool(functions) or type(holder) is not ModuleType:
                continue
            values = vars(holder).values()
            # A large package has ten thousand names: they are not gone through one by one where there is nothing.
            if torch.jit.ScriptFunction not in map(type, values) and functions.isdisjoint(map(id, values)):
                continue
            for name, value in list(vars(holder).items()):
                if id(value) in functions or (
                    isinstance(value, torch.jit.ScriptFunction) and hasattr(value, "_torchdynamo_inline")
                ):
                    yield holder, name, value

    def _shown(self, value: Any, on_whole: OnWhole) -> Callable[..., Any]:
        if isinstance(value, torch.jit.ScriptFunction):
            written: Callable[..., Any] = vars(value)["_torchdynamo_inline"]
            return written
        whole = Whole(value.__name__, value, self._rules[value])

        def called(*args: Any, **kwargs: Any) -> Any:
            return on_whole(whole, args, kwargs)

        return called


def _whole_forward(forward: Callable[..., Any], rule: Rule, on_whole: OnWhole) -> Callable[..., Any]:
    def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        whole = Whole(type(module).__name__, forward, rule, module)
        if rule is own_irreps and not accepts(module, *args, **kwargs):
            return whole(*args, **kwargs)
        return on_whole(whole, args, kwargs)

    return called


@contextmanager
def _replaced(holder: Any, name: str, value: Any) -> Iterator[None]:
    own = name in vars(holder)
    before = vars(holder).get(name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        if own:
            setattr(holder, name, before)
        else:
            delattr(holder, name)
