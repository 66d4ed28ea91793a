"""Kernels keep to their buffers: what they read and write beyond could belong to anybody."""

import subprocess
import sys

import pytest

from tests.guarded import SIDES


@pytest.mark.skipif(sys.platform != "linux", reason="pages without access, as Linux has them")
@pytest.mark.parametrize("side", SIDES)
def test_nothing_beyond_a_buffer_is_touched(side):
    command = [sys.executable, "-m", "tests.guarded", side]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert result.returncode == 0, "\n".join(result.stderr.splitlines()[-40:])
