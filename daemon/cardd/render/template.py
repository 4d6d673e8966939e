"""Files from templates of the integrator's own: Jinja2, in its sandbox.

The template is trusted, the values are not: they come from cards and servers. Text that a template
puts out may have no control characters, for a line break in a value would begin a line of the
sender's choice; `| lines` allows them where they belong, in a certificate for example. What a
template does is counted, so that none keeps the daemon for ever.
"""

from __future__ import annotations

import re
import shlex
import traceback
from functools import partial
from typing import Any

from cardea_core import Snapshot, TreeError, canonical_path
from jinja2 import StrictUndefined, Template, TemplateError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .output import Output, OutputFile, Plan, PlanError

__all__ = ["MAX_BYTES", "template_file"]

MAX_BYTES = 1 << 20
# Rounds of loops and calls of macros.
MAX_STEPS = 200_000
_STEP = "_step"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Lines(str):
    """Text whose line breaks the template has asked for."""

    __slots__ = ()


class _BadOutputError(TemplateError):
    """Raised by the template's work; what it says never quotes a value."""


def template_file(text: str, name: str) -> Plan:
    """Renders one file. An empty result means that there is to be no file.

    Raises:
        PlanError: the text is no template.
    """
    try:
        environment = _environment()
        counted = _counted(environment.parse(text))
        template = Template.from_code(
            environment, environment.compile(counted), environment.make_globals(None)
        )
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise PlanError(f"line {line or '?'}: {type(error).__name__}") from None
    return partial(_plan, template, name)


def _plan(template: Template, name: str, tree: Snapshot) -> Output:
    parts, size = [], 0
    try:
        for part in template.generate(
            **{_STEP: _Steps()},
            value=partial(_value, tree),
            exists=lambda path: tree.get(_path(path)) is not None,
            children=lambda path: tree.children(_path(path)),
        ):
            size += len(part)
            if size > MAX_BYTES:
                raise PlanError(f"the result is longer than {MAX_BYTES} characters")
            parts.append(part)
    except PlanError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a template does; its words may quote values
        what = str(error) if isinstance(error, _BadOutputError) else type(error).__name__
        raise PlanError(f"the template fails in line {_line(error)}: {what}") from None
    content = "".join(parts).encode()
    return Output((OutputFile(name, content),) if content.strip() else ())


class _Steps:
    """Called at each step."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def __call__(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _BadOutputError(f"takes more than {MAX_STEPS} steps")


def _counted(template: nodes.Template) -> nodes.Template:
    """Let each round of a loop and each call of a macro begin with a step."""
    blocks: list[nodes.For | nodes.Macro | nodes.CallBlock] = [
        *template.find_all(nodes.For),
        *template.find_all(nodes.Macro),
        *template.find_all(nodes.CallBlock),
    ]
    for block in blocks:
        call = nodes.Call(nodes.Name(_STEP, "load"), [], [], None, None)
        block.body.insert(0, nodes.ExprStmt(call).set_lineno(block.lineno))
    return template


def _line(error: Exception) -> int | str:
    """Jinja puts the template's lines into the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or "?" for frame in frames if frame.filename == "<template>"), "?")


def _value(tree: Snapshot, path: str, default: Any = None) -> Any:
    """A leaf's text. Undefined, which a template may test and not put out, where there is none."""
    node = tree.get(_path(path))
    if node is None or node.value is None:
        return StrictUndefined(name=path) if default is None else default
    return node.value.decode()


def _path(path: str) -> str:
    try:
        return canonical_path(path)
    except TreeError:
        # It may be a value: a template can ask for the node that a node names.
        raise _BadOutputError("asks for what is no node path") from None


def _environment() -> ImmutableSandboxedEnvironment:
    # Settings are no HTML; what may not be in them is refused instead (finalize).
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters["lines"] = _Lines
    environment.filters["shell"] = lambda text: shlex.quote(str(text))
    return environment


def _finalized(result: Any) -> Any:
    if isinstance(result, Undefined | _Lines):
        return result
    if _CONTROL.search(str(result)):
        raise _BadOutputError("puts out control characters")
    return result
