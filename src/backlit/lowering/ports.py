"""Port numbers: the array addresses that every job gives its kernels."""

INPUT, OUTPUT, TARGETS = range(3)
FIRST_FREE_PORT = 3  # a method's own arrays follow
