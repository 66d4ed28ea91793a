"""Kernels keep to their buffers: what they read and write beyond could belong to anybody."""

import subprocess
import sys

import pytest

from tests.guarded import SIDES


@pytest.fixture(scope="module")
def runs():
    """Both sides at a time: each is a process of its own."""
    command = [sys.executable, "-m", "tests.guarded"]
    started = {
        side: subprocess.Popen([*command, side], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for side in SIDES
    }
    yield started
    for process in started.values():
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="pages without access, as Linux has them")
@pytest.mark.parametrize("side", SIDES)
def test_nothing_beyond_a_buffer_is_touched(runs, side):
    output = runs[side].communicate(timeout=900)[0].decode()
    assert runs[side].returncode == 0, "\n".join(output.splitlines()[-40:])
