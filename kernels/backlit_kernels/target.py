"""The processor that kernels are compiled for: how wide its vectors are, how many it holds."""

from functools import cache
from typing import NamedTuple

from llvmlite import binding
from numba.core import config

CACHE_LINE = 16  # floats


class Target(NamedTuple):
    """What the shapes of vectors and register tiles follow."""

    lanes: int  # floats in a vector of ours
    registers_per_vector: int  # machine registers that such a vector takes
    accumulators: int  # vectors that a register tile may hold
    looks_up: bool = False  # whether lanes pick from four floats each, in one instruction
    adds_aside: bool = False  # whether additions have units of their own beside multiply-adds


@cache
def target() -> Target:
    """The target of this process, with Numba's settings ``NUMBA_CPU_NAME`` and ``_FEATURES``."""
    name = config.CPU_NAME or binding.get_host_cpu_name()
    if config.CPU_NAME:
        features = config.CPU_FEATURES or ""
    else:
        features = binding.get_host_cpu_features().flatten()
    adds_aside = name.startswith("znver")  # AMD's
    if "+avx512f" in features:
        looks_up = "+avx512bw" in features
        return Target(
            lanes=16,
            registers_per_vector=1,
            accumulators=24,
            looks_up=looks_up,
            adds_aside=adds_aside,
        )
    if "+avx2" in features or (config.CPU_NAME and name != "generic"):
        looks_up = "+avx2" in features
        return Target(
            lanes=8,
            registers_per_vector=1,
            accumulators=12,
            looks_up=looks_up,
            adds_aside=adds_aside,
        )
    if "arm" in binding.get_process_triple() or "aarch64" in binding.get_process_triple():
        return Target(lanes=8, registers_per_vector=2, accumulators=12)
    return Target(lanes=8, registers_per_vector=2, accumulators=6)
