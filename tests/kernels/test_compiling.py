"""Kernels compiled side by side: by copies of the process, and whatever becomes of these."""

import os
import sys

import pytest

from tests.helpers import run_python

KERNELS = """
import os
from backlit_kernels import compiling
from backlit_kernels.elementwise import add, mark
from backlit_kernels.channels import zero_border
kernels = [add, mark, zero_border]
cores = 2
{change}
compiling.compile_together(kernels, cores)
own = [k.name for k in kernels if "compiled" in vars(k)]
kept = [k.name for k in kernels if k.is_kept()]
print(len(own), len(kept), min(k.address for k in kernels) > 0)
try:
    os.waitpid(-1, os.WNOHANG)
    print("a copy is left")
except ChildProcessError:
    pass
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are copied on Linux"
)


def run(folder, change="", **environment):
    code = KERNELS.format(change=change)
    printed = run_python(code, NUMBA_CACHE_DIR=str(folder), **environment)
    own, kept, *rest = printed.stdout.split(maxsplit=2)
    assert rest == ["True\n"]
    return int(own), int(kept), printed.stderr


def test_copies_take_their_share_and_nothing_is_compiled_twice(tmp_path):
    own, kept, notes = run(tmp_path)
    assert own in (1, 2)
    assert kept == 3
    assert notes.count("compiling") == 1
    assert run(tmp_path) == (0, 3, "")


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("no more processes", "os.fork = lambda: os.open('nowhere', os.O_RDONLY)"),
        ("one core", "cores = 1"),
        ("a copy that fails", "os.register_at_fork(after_in_child=lambda: os._exit(1))"),
    ],
)
def test_alone(tmp_path, what, change):
    own, kept, _ = run(tmp_path, change)
    assert own == kept == (0 if what == "one core" else 3)


def test_a_copy_that_hangs_is_ended(tmp_path):
    change = """
import time
compiling.PATIENCE, work, mine = 0.2, compiling._work, os.getpid()
def hang(queue, kernels):
    if os.getpid() != mine:
        os.read(queue, 1)
        time.sleep(1000)
    time.sleep(1)
    work(queue, kernels)
compiling._work = hang
"""
    own, kept, _ = run(tmp_path, change)
    assert own == kept == 2
    assert os.listdir(tmp_path)
