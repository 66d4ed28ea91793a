"""The crew: threads that stay for the next job, since starting one takes longer than small jobs."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any

from backlit.placement import release, send_elsewhere


class Member:
    """A thread that waits for jobs, and goes back to the idle ones after each."""

    def __init__(self, idle: "list[Member]") -> None:
        self.idle = idle
        self.jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future, set[int] | None]] = (
            queue.SimpleQueue()
        )
        self.thread = threading.Thread(target=self._serve, name="backlit", daemon=True)
        self.thread.start()

    def begin(self, job: Callable[[], Any]) -> Future:
        """Do a job, on another core than the caller's if that can be."""
        future: Future = Future()
        assert self.thread.native_id is not None
        self.jobs.put((job, future, send_elsewhere(self.thread.native_id)))
        return future

    def _serve(self) -> None:
        while True:
            job, future, cores = self.jobs.get()
            if cores is not None:
                release(cores)
            try:
                result = job()
            except BaseException as error:
                self.idle.append(self)
                future.set_exception(error)
            else:
                self.idle.append(self)
                future.set_result(result)
            del job, future  # what they hold is not to wait for the next job


class Crew:
    """As many members as were ever busy at a time."""

    def __init__(self) -> None:
        self.idle: list[Member] = []

    def submit(self, jobs: Sequence[Callable[[], Any]]) -> list[Future]:
        """Let a member of its own begin with each job at once; with none if one cannot be had.

        Members of a team would wait for ever for one that does not come.
        """
        members: list[Member] = []
        try:
            for _ in jobs:
                members.append(self._member())
        except BaseException:
            self.idle += members
            raise
        return [member.begin(job) for member, job in zip(members, jobs, strict=True)]

    def _member(self) -> Member:
        try:
            return self.idle.pop()
        except IndexError:
            return Member(self.idle)


@cache
def crew() -> Crew:
    """This process's threads; each begins when first needed."""
    return Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crew.cache_clear)  # threads do not survive a fork
