"""Threads that stay: they take jobs at once, run anywhere the caller may, and pass errors on."""

import os
import threading

import pytest

from backlit import placement
from backlit.crew import Crew

TIMEOUT = 60  # seconds: a job that does not begin fails the test
pinned = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="cores are chosen on Linux alone"
)


def result(crew, job):
    (future,) = crew.submit([job])
    return future.result(TIMEOUT)


def test_jobs_run_side_by_side():
    """Each has a thread of its own, however many there are."""
    crew = Crew()
    everybody = threading.Barrier(5)
    jobs = crew.submit([lambda: everybody.wait(TIMEOUT)] * 4)
    places = {everybody.wait(TIMEOUT), *(job.result(TIMEOUT) for job in jobs)}
    assert places == set(range(5))


def test_threads_are_used_again():
    crew = Crew()
    seen = {result(crew, threading.get_ident) for _ in range(20)}
    assert len(seen) <= 2  # one may be on its way back
    assert threading.get_ident() not in seen


def test_errors_are_the_callers():
    crew = Crew()

    def fail():
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        result(crew, fail)
    assert result(crew, lambda: 3) == 3


@pinned
def test_a_job_may_run_on_the_callers_cores():
    """Whatever was asked of the system to wake its thread elsewhere."""
    crew, mine = Crew(), os.sched_getaffinity(0)
    for cores in (mine, {min(mine)}, mine):
        os.sched_setaffinity(0, cores)
        try:
            assert result(crew, lambda: os.sched_getaffinity(0)) <= mine
            found = result(crew, lambda: os.sched_getaffinity(0))
        finally:
            os.sched_setaffinity(0, mine)
        if len(cores) > 1:
            assert found == cores


@pinned
def test_a_sleeping_thread_is_sent_to_another_core():
    cores = os.sched_getaffinity(0)
    if len(cores) == 1:
        pytest.skip("there is no other core")
    asleep, found = threading.Event(), []
    thread = threading.Thread(
        target=lambda: (asleep.wait(TIMEOUT), found.append(os.sched_getaffinity(0)))
    )
    thread.start()
    assert placement.send_elsewhere(thread.native_id) == cores
    asleep.set()
    thread.join(TIMEOUT)
    assert len(found[0]) == len(cores) - 1


@pinned
def test_nothing_is_asked_where_the_system_forbids_it(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    assert placement.send_elsewhere(threading.get_native_id()) is None
    placement.release({0})
