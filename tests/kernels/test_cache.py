"""The names of compiled kernels."""

from tests.helpers import run_python

NAMES = """
from backlit_kernels.unary import unary
library = unary("sigmoid").compiled._library
print(*(f.name for f in library.get_defined_functions()))
"""


def test_no_name_is_used_by_two_processes(tmp_path):
    """A third process that loads code of both would take one's helpers for the other's."""
    names = []
    for number in "12":
        printed = run_python(NAMES, NUMBA_CACHE_DIR=str(tmp_path / number)).stdout.split()
        names.append(set(printed))
    assert all(names)
    assert not names[0] & names[1]
