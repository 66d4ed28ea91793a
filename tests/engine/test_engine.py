"""Threads that stay: from call to call, for many callers, and after a fork; and their parts."""

import os
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import backlit as bl
from backlit import programs
from backlit.crew import Member, crew
from backlit.engine import split
from tests.helpers import run_python

FORK = """
import os
import numpy as np
import backlit as bl
X, y = bl.datasets.mnist()
model = bl.models.mnist_cnn()
expected = bl.saliency(model, X[:2000], threads=2)
child = os.fork()
if child == 0:
    found = bl.saliency(model, X[:2000], threads=2)
    os._exit(0 if np.array_equal(found, expected) else 1)
print(os.waitpid(child, 0)[1])
"""


FORK_WHILE_LINKING = """
import os
import backlit as bl
from backlit import tape
X, y = bl.datasets.mnist()
with tape._linking:  # as another thread may hold it
    child = os.fork()
    if child == 0:
        bl.saliency(bl.models.mnist_cnn(), X[:3])
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""
forks = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks")


@forks
def test_a_forked_process_has_threads_of_its_own():
    assert run_python(FORK).stdout.strip() == "0"


@forks
def test_a_process_forked_while_a_thread_links():
    assert run_python(FORK_WHILE_LINKING).stdout.strip() == "0"


@pytest.mark.parametrize("team", [True, False])
def test_threads_that_cannot_be_started(models, mnist, monkeypatch, team):
    """The call fails before any other begins: members of a team would wait for them for ever."""
    begun = []

    def begin(self, job, begin=Member.begin):
        begun.append(begin(self, job))
        return begun[-1]

    def start(self, start=threading.Thread.start, started=[]):  # noqa: B006
        started.append(self)
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        start(self)

    model, X = models["mnist_cnn"], mnist[0][: 1 if team else 2000]
    monkeypatch.setattr(programs, "TEAM_WORK", 0 if team else 1 << 62)
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)
    expected = bl.saliency(model, X, threads=1)
    crew.cache_clear()
    monkeypatch.setattr(Member, "begin", begin)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start"):
        bl.saliency(model, X, threads=4)
    assert not begun
    assert len(crew().idle) == 2
    np.testing.assert_array_equal(bl.saliency(model, X, threads=4), expected)
    assert len(begun) == 3


def test_calls_from_many_threads_at_once(models, mnist):
    """More of them than cores, each with helpers of the same crew."""
    model, X = models["mnist_cnn"], mnist[0][:1500]
    expected = bl.saliency(model, X, threads=1)
    found = [None] * 8

    def call(i):
        found[i] = bl.saliency(model, X, threads=3)

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for maps in found:
        np.testing.assert_array_equal(maps, expected)


def test_a_bad_sample_in_a_helpers_part_reaches_the_caller(models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:1500].copy()
    X[-1, 0, 3, 3] = np.nan
    for _ in range(3):
        with pytest.raises(ValueError, match="sample 1499 holds NaN"):
            bl.saliency(model, X, threads=2)


ENDLESS = 10**7  # steps: hours


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [1, 40])  # by a team; tiles of each thread's own
def test_a_signal_ends_a_long_call(models, mnist, count, threads):
    """Before its next step, however many its part has; and the threads serve the next call."""
    X, model = mnist[0], models["mnist_cnn_wide"]
    expected = bl.saliency(model, X[:40], threads=threads)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            bl.integrated_gradients(model, X[:count], steps=ENDLESS, threads=threads)
    finally:
        signal.signal(signal.SIGINT, before)
    np.testing.assert_array_equal(bl.saliency(model, X[:40], threads=threads), expected)


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 1000, 10_000])
@pytest.mark.parametrize("shares", [1, 4, 16])
@pytest.mark.parametrize("least", [1, 3])
def test_parts_follow_one_another_and_shrink(samples, shares, least):
    tile = 8
    job = SimpleNamespace(samples=tile, repeats=3)
    parts = split(job, 5, 5 + samples, shares, least)
    assert [part.first for part in parts] == [5, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == 5 + samples
    sizes = [-(-(part.stop - part.first) // tile) for part in parts]
    assert all((part.stop - part.first) % tile == 0 for part in parts[:-1])
    assert sizes == sorted(sizes, reverse=True)
    for n, size in enumerate(sizes):
        left = sum(sizes[n:])
        assert size <= max(left / shares, min(least, 4 * left / shares), 1)
        assert size >= min(least, left * 4 // shares, left)
    assert sizes[-1] == 1 or shares <= 4
