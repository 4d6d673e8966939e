"""One thread for work that must not overlap, and that nobody waits for when the daemon ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

__all__ = ["SerialExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


class SerialExecutor(Executor):
    """Runs what is submitted, in order.

    Unlike those of a ThreadPoolExecutor its thread does not keep the process alive: what it does
    may be cut short at any point, and a server that is slow to answer would hold up the end.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A future of ``work``; cancelled, if it has not begun when the executor is closed."""
        future: Future[T] = Future()

        def job() -> None:
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the future has it
                future.set_exception(error)
            else:
                future.set_result(result)

        if self._closed:
            raise RuntimeError("the executor is closed")
        self._jobs.put(job)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Begin nothing more. Returns at once, whatever ``wait`` says."""
        self._closed = True
        self._jobs.put(None)

    def aside(self, wait: Callable[[], T]) -> T:
        """On the executor's thread: wait while others have their turn, then get it back in turn."""
        threading.Thread(target=self._run, name=self._thread.name, daemon=True).start()
        try:
            return wait()
        finally:
            turn = threading.Event()
            self._jobs.put(_HandOver(turn.set))
            turn.wait()

    def _run(self) -> Any:
        while (job := self._jobs.get()) is not None:
            job()
            if isinstance(job, _HandOver):
                return  # whoever has the turn back serves from now on


@dataclass(frozen=True, slots=True)
class _HandOver:
    """The job that gives the turn back to a thread that has waited."""

    take: Callable[[], None]

    def __call__(self) -> None:
        self.take()
