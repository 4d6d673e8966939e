"""One after the other, and nothing that has to be waited for at the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest
from cardd.app.serial_executor import SerialExecutor


def test_work_is_done_in_order_and_failures_are_told() -> None:
    executor = SerialExecutor("test")
    done: list[int] = []
    jobs = [executor.submit(done.append, number) for number in range(20)]
    failing = executor.submit(int, "x")
    for job in jobs:
        job.result(60)
    assert done == list(range(20))
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result(60)
    executor.shutdown()


def test_who_waits_aside_lets_others_have_their_turn_and_gets_it_back_in_turn() -> None:
    executor, answered, done = SerialExecutor("test"), threading.Event(), []

    def waiting(name: str) -> None:
        done.append(f"{name} asks")
        executor.aside(lambda: answered.wait(60))
        done.append(f"{name} goes on")

    first, second = executor.submit(waiting, "first"), executor.submit(waiting, "second")
    between = executor.submit(done.append, "another")
    between.result(60)
    assert done == ["first asks", "second asks", "another"]
    answered.set()
    first.result(60)
    second.result(60)
    # Whoever serves now: one after the other still.
    last = [executor.submit(done.append, str(number)) for number in range(20)]
    last[-1].result(60)
    assert sorted(done[3:5]) == ["first goes on", "second goes on"]
    assert done[5:] == [str(number) for number in range(20)]
    assert sum(thread.name == "test" for thread in threading.enumerate()) <= 2
    executor.shutdown()


def test_who_waits_aside_in_vain_has_its_turn_back_too() -> None:
    executor = SerialExecutor("test")

    def fail() -> None:
        raise InterruptedError

    job = executor.submit(executor.aside, fail)
    with pytest.raises(InterruptedError):
        job.result(60)
    assert executor.submit(int, "3").result(60) == 3
    executor.shutdown()


def test_what_has_not_begun_when_the_lane_is_closed_is_cancelled() -> None:
    executor, begun, go_on = SerialExecutor("test"), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go_on.wait(60)

    running, waiting = executor.submit(first), executor.submit(print)
    assert begun.wait(60)
    executor.shutdown()
    go_on.set()
    running.result(60)
    with pytest.raises(CancelledError):
        waiting.result(60)
    with pytest.raises(RuntimeError):
        executor.submit(print)


def test_the_process_ends_though_a_server_is_slow_to_answer() -> None:
    program = """
import threading
from cardd.app.serial_executor import SerialExecutor
begun = threading.Event()
executor = SerialExecutor("test")
executor.submit(lambda: (begun.set(), threading.Event().wait(60)))
begun.wait()
executor.shutdown()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
