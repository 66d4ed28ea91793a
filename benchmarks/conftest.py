"""Collecting what the suite measures, and printing and writing it at the end."""

import json
from pathlib import Path

import pytest
import report
from machine import describe

FOLDER = Path(__file__).with_name("results")
RESULTS = pytest.StashKey[dict]()


class ReplayClock:
    """A timer that shows pytest-benchmark rounds which were timed elsewhere.

    pytest-benchmark times one contender after the other; here they are timed in turns, and each
    one's rounds are played to it afterwards, for its tables and files.
    """

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def play(self, benchmark, seconds: list[float]) -> None:
        self.now, ticks = 0.0, iter(seconds)

        def tick() -> None:
            self.now += next(ticks)

        benchmark.pedantic(tick, rounds=len(seconds))


CLOCK = ReplayClock()


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark reads its options
def pytest_configure(config):
    config.option.benchmark_columns = ["min", "median", "iqr", "rounds"]
    config.stash[RESULTS] = {"machine": describe()}


def pytest_collection_modifyitems(items):
    for item in items:
        if "replay" in item.fixturenames:
            item.add_marker(pytest.mark.benchmark(timer=CLOCK))


@pytest.fixture
def replay():
    """replay(benchmark, seconds): show pytest-benchmark these rounds."""
    return CLOCK.play


@pytest.fixture
def record(request):
    """record(section, row): add a row (a dict) to a section of the results."""
    results = request.config.stash[RESULTS]
    return lambda section, row: results.setdefault(section, []).append(row)


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    results = config.stash[RESULTS]
    text = report.render(results)
    terminalreporter.section("results")
    terminalreporter.write_line(text)
    whole = not config.option.keyword and not any(".py" in part for part in config.args)
    if whole and exitstatus == 0:  # a run of a part leaves the files as they are
        FOLDER.mkdir(exist_ok=True)
        machine = results["machine"]
        stem = FOLDER / f"{machine['date']}-{machine['vector_extension'].lower()}"
        stem.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        stem.with_suffix(".md").write_text(text)
        terminalreporter.write_line(f"written to {stem}.json and .md")
