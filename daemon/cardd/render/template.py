"""Files from templates of the integrator's own: Jinja2, in its sandbox, in a process of its own.

The template is trusted, the values are not: they come from cards and servers. What a template
makes of them may take any memory and time (``'x' * number``, ``%``, ``center``, ``join``, lists of
lists). So it is a process that makes it, which the kernel bounds, and which asks for what it needs.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from functools import partial
from typing import Any

from cardea_core import Snapshot, TreeError, canonical_path

from .output import Output, OutputFile, Plan, PlanError

__all__ = ["MAX_BYTES", "template_file"]

MAX_BYTES = 1 << 20
# Rounds of loops and calls of macros.
MAX_STEPS = 200_000
# Python and Jinja take a quarter of it.
MEMORY_BYTES = 128 << 20
CPU_S = 10
# A result in JSON, where a byte may take six: what is no ASCII stays as it is.
_LINE_BYTES = 8 * MAX_BYTES


def template_file(text: str, name: str) -> Plan:
    """Renders one file. An empty result means that there is to be no file.

    Raises:
        PlanError: the text is no template.
    """
    _rendered(text, None)
    return partial(_plan, text, name)


def _plan(text: str, name: str, tree: Snapshot) -> Output:
    content = _rendered(text, tree).encode()
    return Output((OutputFile(name, content),) if content.strip() else ())


def _rendered(text: str, tree: Snapshot | None) -> str:
    """What the template makes of a tree; None: nothing, it is only looked at.

    Raises:
        PlanError: it is none, fails, or needs too much.
    """
    job = {
        "template": text,
        "render": tree is not None,
        "max_bytes": MAX_BYTES,
        "max_steps": MAX_STEPS,
        "memory_bytes": MEMORY_BYTES,
        "cpu_s": CPU_S,
    }
    said: dict[str, Any] = {}
    try:
        # It may end at any moment; then its pipe is broken.
        with contextlib.suppress(BrokenPipeError), _started() as process:
            try:
                said = _conversation(process, job, tree)
            finally:
                process.kill()
    except OSError as error:
        raise PlanError(f"the template's process cannot be started: {error.strerror}") from None
    if "result" in said:
        return str(said["result"])
    if "refused" in said:
        raise PlanError(str(said["refused"]))
    if process.returncode == -signal.SIGXCPU:
        raise PlanError(f"the template takes more than {CPU_S} s")
    raise PlanError("the template's process has ended before its time")


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "cardd.render.template_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"LANG": "C.UTF-8"},
    )


def _conversation(
    process: subprocess.Popen[bytes], job: dict[str, Any], tree: Snapshot | None
) -> dict[str, Any]:
    """Answer what the process asks, to its last word; {}: it has ended without one."""
    said = job
    while process.stdin is not None and process.stdout is not None:
        process.stdin.write(json.dumps(said).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline(_LINE_BYTES)
        if not line.endswith(b"\n"):
            break
        heard: dict[str, Any] = json.loads(line)
        if tree is None or "ask" not in heard:
            return heard
        said = _answer(tree, heard["ask"], heard["path"])
    return {}


def _answer(tree: Snapshot, ask: str, path: str) -> dict[str, Any]:
    """Octets go as text of as many characters (Latin-1). No answer: that is no path of a node."""
    try:
        path = canonical_path(path)
    except TreeError:
        return {}
    if ask == "children":
        return {"answer": tree.children(path)}
    node = tree.get(path)
    if ask == "exists":
        return {"answer": node is not None}
    value = None if node is None else node.value
    return {"answer": None if value is None else value.decode("latin-1")}
