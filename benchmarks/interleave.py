"""Timing contenders side by side: A B C A B C ..., so that a machine's drift strikes all alike."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

PAUSE, LONGEST_PAUSE = 0.01, 0.5  # seconds between turns
QUIET = 0.2  # of a processor's time: less of it, and no thread spins
SHORTEST = 0.02  # seconds a turn lasts at least; shorter calls are repeated


def side_by_side(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int | None = None,
    seconds: float = 20,
) -> dict[str, list[float]]:
    """Seconds for one call of each contender in each round, after one call that is not counted.

    Without `rounds`, as many as fit in `seconds`, between 5 and 50.
    """
    repeats, turn = {}, 0.0
    for name, run in contenders.items():
        once = time_of(run)
        repeats[name] = math.ceil(SHORTEST / once)
        turn += once * repeats[name] + PAUSE
    if rounds is None:
        rounds = min(max(int(seconds / turn), 5), 50)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            rest()
            times[name].append(time_of(run, repeats[name]))
    return times


def rest() -> None:
    """Wait until the last contender's threads have fallen asleep.

    Those of OpenMP spin for some milliseconds after their work, those of OpenBLAS for a hundred. A
    processor that idles for longer wakes slowly, so it is no more than they need.
    """
    end = time.perf_counter() + LONGEST_PAUSE
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - before < QUIET * PAUSE:
            return


def best_batch(run: Callable[[int], object], candidates: Iterable[int]) -> int:
    """The batch size with which `run(batch)` is fastest, the better of two runs each."""
    seconds = {b: min(time_of(lambda b=b: run(b)) for _ in range(2)) for b in candidates}
    return min(seconds, key=seconds.__getitem__)


def time_of(run: Callable[[], object], repeats: int = 1) -> float:
    """Seconds for one call, the mean of `repeats` in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats
