"""Timing contenders side by side: A B C A B C ..., so that a machine's drift strikes all alike."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

PAUSE = 0.01  # seconds between turns, so that the last contender's spinning threads fall asleep
SHORTEST = 0.02  # seconds a turn lasts at least; shorter calls are repeated


def side_by_side(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int | None = None,
    seconds: float = 20,
    pause: float = PAUSE,
) -> dict[str, list[float]]:
    """Seconds for one call of each contender in each round, after one call that is not counted.

    Without `rounds`, as many as fit in `seconds`, between 5 and 50.
    """
    repeats, turn = {}, 0.0
    for name, run in contenders.items():
        once = time_of(run)
        repeats[name] = math.ceil(SHORTEST / once)
        turn += once * repeats[name] + pause
    if rounds is None:
        rounds = min(max(int(seconds / turn), 5), 50)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            time.sleep(pause)
            times[name].append(time_of(run, repeats[name]))
    return times


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
