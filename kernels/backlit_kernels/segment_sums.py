"""The first dense layer of masked samples, as a sum of what each kept segment adds to it.

Shares are what the segments add: vectors of `LANES` entries of a tensor, one for each segment after
the other, then the next entries'. Where lanes are masks of one sample, they are the shares of that
sample alone, whose entries fill vectors by themselves.
"""

from typing import Any

from backlit_kernels.frame import PORTS, STEP, floats_at, integers_at
from backlit_kernels.groups import sample_of
from backlit_kernels.kernel import kernel
from backlit_kernels.vector import LANES, fma, load, load_one, splat, store, store_one

BLOCK = 8  # masks whose sums are made at a time, for each share that is read


@kernel
def segment_shares(
    arena: Any,
    constants: Any,
    frame: Any,
    x: int,
    baseline: int,
    step: int,
    features: int,
    segments: int,
    segments_per_sample: int,
    weights: int,
    row: int,
    outputs: int,
    shares: int,
    count: int,
    lanes: int,
) -> None:
    """Add up what each segment's features add, from 0 on.

    Parameters
    ----------
    step
        From a feature of `x` and `baseline` to the next.
    segments
        Port of the int64 array ``(entries, features)`` of segment numbers: one entry for all
        samples if `segments_per_sample` is 0, one each if it is 1.
    weights
        Where those of each feature for the `outputs` lie, `row` apart: whole vectors.
    lanes
        Samples side by side; 1 for the first of them alone.
    """
    numbers = integers_at(frame[PORTS + segments])
    for i in range(0, row * lanes * count, LANES):
        store(arena, shares + i, splat(0.0))
    if lanes == 1:
        own = sample_of(frame, 0) * segments_per_sample * features
        for n in range(features):
            change = load_one(arena, x + n * step) - load_one(arena, baseline + n * step)
            target = shares + numbers[own + n] * LANES
            for i in range(0, row, LANES):
                at = target + i * count
                weight = load(constants, weights + n * row + i)
                store(arena, at, fma(change, weight, load(arena, at)))
        return
    if segments_per_sample == 0:
        for n in range(features):
            for lane in range(0, lanes, LANES):
                place = n * step + lane
                change = load(arena, x + place) - load(arena, baseline + place)
                target = shares + numbers[n] * LANES + lane * count
                for i in range(outputs):
                    at = target + i * lanes * count
                    weight = load_one(constants, weights + n * row + i)
                    store(arena, at, fma(change, weight, load(arena, at)))
        return
    for lane in range(lanes):
        own = sample_of(frame, lane) * features
        for n in range(features):
            place = n * step + lane
            change = load_one(arena, x + place) - load_one(arena, baseline + place)
            target = shares + numbers[own + n] * LANES + lane // LANES * LANES * count
            for i in range(outputs):
                at = target + i * lanes * count + lane % LANES
                weight = load_one(constants, weights + n * row + i)
                store_one(arena, at, fma(change, weight, load_one(arena, at)))


@kernel
def add_shares(
    arena: Any,
    frame: Any,
    masks: int,
    steps: int,
    start: int,
    shares: int,
    count: int,
    block: int,
    block_at: int,
    out: int,
    size: int,
) -> None:
    """out = start + the current mask's values times the shares; lanes are samples.

    Parameters
    ----------
    masks
        Port of the masks ``(steps, count)`` that all samples have.
    size
        Floats of a sum, whole vectors.
    block
        Where the sums of `BLOCK` masks lie, made when one of them is asked for first.
    block_at
        Where the number of the first of them is kept, as a float.
    """
    first = frame[STEP] // BLOCK * BLOCK
    if arena[block_at] != first:
        arena[block_at] = first
        values, last = floats_at(frame[PORTS + masks]), steps - 1
        m0, m1 = min(first, last) * count, min(first + 1, last) * count
        m2, m3 = min(first + 2, last) * count, min(first + 3, last) * count
        m4, m5 = min(first + 4, last) * count, min(first + 5, last) * count
        m6, m7 = min(first + 6, last) * count, min(first + 7, last) * count
        for i in range(0, size, LANES):
            a = b = c = d = e = f = g = h = load(arena, start + i)
            for n in range(count):
                share = load(arena, shares + i * count + n * LANES)
                a = fma(load_one(values, m0 + n), share, a)
                b = fma(load_one(values, m1 + n), share, b)
                c = fma(load_one(values, m2 + n), share, c)
                d = fma(load_one(values, m3 + n), share, d)
                e = fma(load_one(values, m4 + n), share, e)
                f = fma(load_one(values, m5 + n), share, f)
                g = fma(load_one(values, m6 + n), share, g)
                h = fma(load_one(values, m7 + n), share, h)
            target = block + i
            store(arena, target, a)
            store(arena, target + size, b)
            store(arena, target + 2 * size, c)
            store(arena, target + 3 * size, d)
            store(arena, target + 4 * size, e)
            store(arena, target + 5 * size, f)
            store(arena, target + 6 * size, g)
            store(arena, target + 7 * size, h)
    source = block + (frame[STEP] - first) * size
    for i in range(0, size, LANES):
        store(arena, out + i, load(arena, source + i))


@kernel
def add_shares_of_one(
    arena: Any,
    mask: int,
    start: int,
    shares: int,
    count: int,
    out: int,
    outputs: int,
    lanes: int,
) -> None:
    """The same where lanes are masks of one sample; `mask` has a lane value for each segment."""
    whole = outputs // BLOCK * BLOCK
    for lane in range(0, lanes, LANES):
        for k in range(0, whole, BLOCK):
            place = lane + k * lanes
            a, b = load(arena, start + place), load(arena, start + place + lanes)
            c, d = load(arena, start + place + 2 * lanes), load(arena, start + place + 3 * lanes)
            e, f = load(arena, start + place + 4 * lanes), load(arena, start + place + 5 * lanes)
            g, h = load(arena, start + place + 6 * lanes), load(arena, start + place + 7 * lanes)
            source = shares + k // LANES * LANES * count + k % LANES
            for n in range(count):
                value, share = load(arena, mask + n * lanes + lane), source + n * LANES
                a = fma(value, load_one(arena, share), a)
                b = fma(value, load_one(arena, share + 1), b)
                c = fma(value, load_one(arena, share + 2), c)
                d = fma(value, load_one(arena, share + 3), d)
                e = fma(value, load_one(arena, share + 4), e)
                f = fma(value, load_one(arena, share + 5), f)
                g = fma(value, load_one(arena, share + 6), g)
                h = fma(value, load_one(arena, share + 7), h)
            target = out + place
            store(arena, target, a)
            store(arena, target + lanes, b)
            store(arena, target + 2 * lanes, c)
            store(arena, target + 3 * lanes, d)
            store(arena, target + 4 * lanes, e)
            store(arena, target + 5 * lanes, f)
            store(arena, target + 6 * lanes, g)
            store(arena, target + 7 * lanes, h)
        for k in range(whole, outputs):
            total = load(arena, start + k * lanes + lane)
            source = shares + k // LANES * LANES * count + k % LANES
            for n in range(count):
                value = load(arena, mask + n * lanes + lane)
                total = fma(value, load_one(arena, source + n * LANES), total)
            store(arena, out + k * lanes + lane, total)
