"""The crew: threads that stay for the next job, since starting one takes longer than small jobs."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

MOST_THREADS = 256


@cache
def crew() -> ThreadPoolExecutor:
    """This process's threads; each begins when first needed."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="backlit")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crew.cache_clear)  # threads do not survive a fork
