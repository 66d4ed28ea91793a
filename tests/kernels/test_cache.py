"""The names of compiled kernels."""

from tests.helpers import run_python

NAMES = """
from backlit_kernels.product import product
library = product({shape}, True, False).compiled._library
print(*(f.name for f in library.get_defined_functions() if "clocals" in f.name))
"""


def test_no_name_is_used_by_two_processes(tmp_path):
    """A third process that loads both kernels would take one for the other."""
    names = []
    for shape in ("1, 1", "2, 1"):
        code = NAMES.format(shape=shape)
        printed = run_python(code, NUMBA_CACHE_DIR=str(tmp_path)).stdout.split()
        names.append(set(printed))
    assert all(names)
    assert not names[0] & names[1]
