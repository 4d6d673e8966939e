"""The process that a template is rendered in. It has no tree: it asks for each node.

Text that a template puts out may have no control characters, for a line break in a value would
begin a line of the sender's choice; `| lines` allows them where they belong, in a certificate for
example. What a template does is counted, so that most that would not end are told the line.
"""

from __future__ import annotations

import json
import re
import resource
import shlex
import sys
import traceback
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__: list[str] = []

_STEP = "_step"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Lines(str):
    """Text whose line breaks the template has asked for."""

    __slots__ = ()


class _BadOutputError(TemplateError):
    """Raised by the template's work; what it says never quotes a value."""


def _main() -> None:
    job = json.loads(sys.stdin.buffer.readline())
    # A core file would hold values.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    # The kernel ends it at the first, and if that did not help at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"] + 1))
    try:
        _say(_done(job))
    except MemoryError:
        # Of what it has said nothing is out: there was no room for it.
        _say({"refused": f"the template needs more than {job['memory_bytes'] >> 20} MiB"})


def _done(job: dict[str, Any]) -> dict[str, Any]:
    try:
        template = _template(job["template"])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - what is constant is worked out here, too
        line = getattr(error, "lineno", None)
        return {"refused": f"line {line or '?'}: {type(error).__name__}"}
    if not job["render"]:
        return {"result": ""}
    try:
        return {"result": _rendered(template, job["max_bytes"], job["max_steps"])}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a template does; its words may quote values
        what = str(error) if isinstance(error, _BadOutputError) else type(error).__name__
        return {"refused": f"the template fails{_place(error)}: {what}"}


def _rendered(template: Template, max_bytes: int, max_steps: int) -> str:
    parts, size = [], 0
    for part in template.generate(
        **{_STEP: _Steps(max_steps)},
        value=_value,
        exists=lambda path: _asked("exists", path),
        children=lambda path: _asked("children", path),
    ):
        size += len(part.encode())
        if size > max_bytes:
            raise _BadOutputError(f"the result is longer than {max_bytes} bytes")
        parts.append(part)
    return "".join(parts)


def _say(what: dict[str, Any]) -> None:
    line = json.dumps(what, ensure_ascii=False).encode() + b"\n"
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _asked(what: str, path: str) -> Any:
    _say({"ask": what, "path": str(path)})
    heard = json.loads(sys.stdin.buffer.readline())
    if "answer" not in heard:
        # It may be a value: a template can ask for the node that a node names.
        raise _BadOutputError("asks for what is no node path")
    return heard["answer"]


def _value(path: str, default: Any = None) -> Any:
    """A leaf's text. Undefined, which a template may test and not put out, where there is none."""
    octets = _asked("value", path)
    if octets is None:
        return StrictUndefined(name=path) if default is None else default
    return octets.encode("latin-1").decode()


class _Steps:
    """Called at each step."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def __call__(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _BadOutputError(f"takes more than {self._most} steps")


def _template(text: str) -> Template:
    environment = _environment()
    counted = _counted(environment.parse(text))
    return Template.from_code(
        environment, environment.compile(counted), environment.make_globals(None)
    )


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


def _place(error: Exception) -> str:
    """Jinja puts the template's lines into the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = (f" in line {frame.lineno}" for frame in frames if frame.filename == "<template>")
    return next(lines, "")


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
    # A file differs only where the tree does, and no step counts the rounds of Jinja's own.
    del environment.filters["random"], environment.globals["lipsum"]
    environment.filters["lines"] = _Lines
    environment.filters["shell"] = lambda text: shlex.quote(str(text))
    return environment


def _finalized(result: Any) -> Any:
    if isinstance(result, Undefined | _Lines):
        return result
    if _CONTROL.search(str(result)):
        raise _BadOutputError("puts out control characters")
    return result


if __name__ == "__main__":
    _main()
