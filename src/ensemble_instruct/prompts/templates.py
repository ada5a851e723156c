"""One prompt as a Jinja2 template, which may be a user's own: it can use what it is given, and nothing else.

A template is data, not a program: it calls nothing, includes nothing and defines no macros, so that all it can do is to
repeat its own text and what it is given. How much of that it may write is bounded, loops that write nothing included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final, cast

from jinja2 import (
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
    nodes,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.files.jsonl import dump, has_lone_surrogate

_MOST_LETTERS = 20_000_000
"""What a prompt may write; each turn of a loop counts as its whole template."""
_LONGEST_SOURCE = 1_000_000
"""Letters of a template."""
_MOST_PARTS = 20_000
"""Words and signs in the names and statements of a template: more take seconds to compile."""
_MOST_PLACES = 20
"""Of a number that is rounded."""
_LETTERS: Final = "letters left"
"""The name, which no template can say, of what it may still write."""
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "first", "int", "last", "length", "lower", "reverse", "sort",
    "string", "title", "trim", "unique", "upper", "wordcount",
)  # fmt: skip
"""Those of Jinja2 that a prompt may use, beside `join`, `round` and `tojson`: none makes more out of little."""
_REFUSED = {
    nodes.Macro: "no macros", nodes.CallBlock: "no macros",
    nodes.Include: "nothing can be included", nodes.Import: "nothing can be included",
    nodes.FromImport: "nothing can be included", nodes.Extends: "nothing can be included",
    nodes.Block: "no blocks", nodes.Concat: "no ~ (write + or {{ one }}{{ other }})",
    nodes.Call: "nothing can be called",
}  # fmt: skip
"""What a template may not have, and why."""


class PromptTemplate:
    """The template of one prompt, checked; `place` names its file in errors."""

    def __init__(self, source: str, place: str, names: Iterable[str]) -> None:
        self.source, self._place, self._names = source.replace("\r\n", "\n"), place, sorted(names)
        if len(source) > _LONGEST_SOURCE:
            raise ConfigError(f"{place}: has {len(source)} letters; a template may have {_LONGEST_SOURCE}")
        try:
            self._require_few_parts()
            tree = _environment().parse(self.source, filename=place)
            self._require_plain(tree)
            self._require_known_names(tree)
            _count_turns(tree, max(1, len(self.source)))
            self._template = _compiled(tree, place)
        except TemplateSyntaxError as error:
            raise ConfigError(f"{place}:{error.lineno}: {_sentence(error.message)}") from None
        except (TemplateError, SyntaxError, ValueError, RecursionError) as error:
            raise ConfigError(f"{place}: cannot be read as a template: {_sentence(str(error))}") from None

    @property
    def text(self) -> str:
        """What decides the prompts: the template without its comments."""
        parts, at = [], 0
        while (begin := self.source.find("{#", at)) >= 0 and (end := self.source.find("#}", begin + 2)) >= 0:
            parts.append(self.source[at:begin])
            at = end + 2 + self.source.startswith("\n", end + 2)
        return "".join([*parts, self.source[at:]])

    def rendered(self, values: Mapping[str, Any]) -> str:
        """The prompt with these values; raises `ConfigError`, with file and line, where there can be none."""
        try:
            return self._template.render({**values, _LETTERS: _Letters(self._place)})
        except UndefinedError as error:
            raise ConfigError(f"{self._place}:{self._line(error)}: {error.message}") from None
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, NameError, RecursionError) as error:
            raise ConfigError(f"{self._place}:{self._line(error)}: {_sentence(str(error))}") from None

    def _require_few_parts(self) -> None:
        parts = _environment().lex(self.source, filename=self._place)
        if next(islice(parts, _MOST_PARTS, None), None) is not None:
            raise ConfigError(f"{self._place}: has more than {_MOST_PARTS} words in {{{{ }}}} and {{% %}}; use fewer")

    def _require_plain(self, tree: nodes.Template) -> None:
        for kind, why in _REFUSED.items():
            for node in tree.find_all(kind):
                raise ConfigError(f"{self._place}:{node.lineno}: {why} in a prompt: it has names, filters, if and for")
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                raise ConfigError(f"{self._place}:{loop.lineno}: a loop of a prompt cannot be recursive")
        for text in tree.find_all(nodes.Const):
            if isinstance(text.value, str) and not text.value.isascii() and has_lone_surrogate(text.value):
                raise ConfigError(
                    f"{self._place}:{text.lineno}: half of a surrogate pair is no character; write it out"
                )
        for literal in tree.find_all((nodes.List, nodes.Tuple, nodes.Dict)):  # a list of itself twice, and so on
            if getattr(literal, "ctx", "load") == "load" and any(literal.find_all((nodes.Name, nodes.Filter))):
                raise ConfigError(f"{self._place}:{literal.lineno}: a list in a prompt holds texts and numbers alone")

    def _require_known_names(self, tree: nodes.Template) -> None:
        found = list(tree.find_all(nodes.Name))
        known = {*self._names, "loop", *(name.name for name in found if name.ctx != "load")}
        for name in found:
            if name.name not in known:
                names = ", ".join(self._names)
                raise ConfigError(f"{self._place}:{name.lineno}: '{name.name}' is no name here; names are {names}")

    def _line(self, error: BaseException) -> int:
        line, trace = 1, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._place:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line


class _Letters:
    """How many letters a prompt may still write."""

    def __init__(self, place: str) -> None:
        self._left, self._place = _MOST_LETTERS, place

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ConfigError(f"{self._place}: writes more than {_MOST_LETTERS} letters; let it repeat less")


def _taken(context: Context, count: int) -> None:
    cast("_Letters", context[_LETTERS]).take(count)


@pass_context
def _written(context: Context, value: Any) -> Any:
    """What an expression writes, counted."""
    if isinstance(value, str):
        _taken(context, len(value))
    elif not isinstance(value, bool | int | float | Undefined):
        raise ValueError(f"a text or a number can be written, not a {type(value).__name__}")
    return value


@pass_context
def _turns(context: Context, values: Iterable[Any], cost: int) -> Iterator[Any]:
    """The turns of a loop, each counted."""
    for value in values:
        _taken(context, cost)
        yield value


@pass_context
def _joined(context: Context, values: Iterable[Any], between: str = "") -> str:
    """The filter `join`, counted."""
    texts = [str(_written(context, value)) for value in values]
    _taken(context, len(between) * len(texts))
    return between.join(texts)


@pass_context
def _as_json(context: Context, value: Any) -> str:
    """The filter `tojson`, counted; letters stay as they are."""
    text = dump(value)
    _taken(context, len(text))
    return text


def _rounded(value: float, precision: int = 0) -> float:
    """The filter `round`; no power of ten that takes for ever."""
    if abs(precision) > _MOST_PLACES:
        raise ValueError(f"a number is rounded to at most {_MOST_PLACES} places")
    return round(value, precision)


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox, without what makes more out of little."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Numbers are small ones, and texts are put together and counted."""
        if all(isinstance(value, bool | int | float) for value in (left, right)):
            if operator == "**" or max(abs(left), abs(right)) > _MOST_LETTERS:
                raise ValueError("the numbers of a prompt are small ones")
            return super().call_binop(context, operator, left, right)
        if operator != "+":
            raise ValueError(f"'{operator}' is for numbers")
        _taken(context, len(left) + len(right))
        return super().call_binop(context, operator, left, right)


@cache
def _environment() -> _Environment:
    # what is made is a text for a model, not a page: nothing is escaped
    environment = _Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False, finalize=_written
    )
    filters: dict[str, Callable[..., Any]] = {name: environment.filters[name] for name in _FILTERS}
    bounded = {"join": _joined, "round": _rounded, "tojson": _as_json, "_turns": _turns}
    environment.filters = filters | bounded
    environment.globals = {}
    return environment


def _count_turns(tree: nodes.Template, cost: int) -> None:
    """Let each turn of a loop be counted."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_turns", [nodes.Const(cost)], [], None, None, lineno=loop.lineno)


def _compiled(tree: nodes.Template, place: str) -> Template:
    environment = _environment()
    tree.set_environment(environment)
    code = environment.compile(tree, filename=place)
    return environment.template_class.from_code(environment, code, {})


def _sentence(text: str | None) -> str:
    return " ".join((text or "not a template").split()).rstrip(".")
