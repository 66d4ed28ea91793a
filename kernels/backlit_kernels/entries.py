"""The entries of a 2x2 window, or block, in row-major order, and the numbers that stand for them.

A number is the float whose bytes say where the entry's bytes lie among four floats: a shuffle of
bytes takes it as it is (see `backlit_kernels.choice_tile`).
"""

import numpy as np

ENTRIES = 4
_places = np.arange(4 * ENTRIES, dtype=np.uint8).view("<f4")
NUMBERS = tuple(float(number) for number in _places)
UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = NUMBERS
