"""Timing contenders side by side: A B C A B C ..., so that a machine's drift strikes all alike."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

PAUSE = 0.01  # seconds between turns, so that the last contender's spinning threads fall asleep
SHORTEST = 0.02  # seconds a turn lasts at least; shorter calls are repeated


def side_by_side(
    contenders: Mapping[str, Callable[[], object]], rounds: int | None = None, seconds: float = 20
) -> dict[str, list[float]]:
    """Seconds for one call of each contender in each round, after calls that are not counted.

    Without `rounds`, as many as fit in `seconds`, between 5 and 50.
    """
    repeats, turn = {}, 0.0
    for name, run in contenders.items():
        run()
        once = time_of(run)
        repeats[name] = math.ceil(SHORTEST / once)
        turn += once * repeats[name] + PAUSE
    if rounds is None:
        rounds = min(max(int(seconds / turn), 5), 50)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            time.sleep(PAUSE)
            times[name].append(time_of(run, repeats[name]))
    return times


def best_batch(run: Callable[[int], int], candidates: Iterable[int]) -> int:
    """The batch size with the most images a second; `run(batch)` returns how many it did.

    Stops once a larger batch does less than half of the best: nothing larger will win, and the
    largest ones may not fit in memory.
    """
    best, most = 0, 0.0
    for batch in candidates:
        run(batch)
        images, start, spent = 0, time.perf_counter(), 0.0
        while spent < 0.5:
            images += run(batch)
            spent = time.perf_counter() - start
        if images / spent > most:
            best, most = batch, images / spent
        elif images / spent < most / 2:
            break
    return best


def time_of(run: Callable[[], object], repeats: int = 1) -> float:
    """Seconds for one call, the mean of `repeats` in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats
