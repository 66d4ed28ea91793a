"""Masked evaluations: the scores of samples with parts of them replaced, batch by batch."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backlit.attribution import segment_sums
from backlit.attribution.call import Call
from backlit.attribution.masked_probes import (
    BASELINE,
    MASKS,
    Boxes,
    MaskedScores,
    SegmentMasks,
    SegmentPatterns,
    SegmentSwaps,
    Spans,
    all_boxes,
)
from backlit.attribution.segment_sums import SegmentSums
from backlit.baselines import Baseline
from backlit.images import as_three_axes
from backlit.lowering.patterns import find_patterns
from backlit.progress import progress_bar
from backlit.segments import Segments

SCORE_BYTES = 4 << 20  # of the scores that are held at a time
FEWEST_STEPS = 8  # masks a lane for which its sample is worth loading
Scores = Iterator[tuple[slice, np.ndarray, np.ndarray]]


def segment_scores(call: Call, baseline: Baseline, segments: Segments, masks: np.ndarray) -> Scores:
    """Scores under masks of segments, a batch of samples at a time.

    Parameters
    ----------
    masks : array of shape (M, count)
        For each segment 1 to keep it, 0 to replace it, or a share in between.

    Yields
    ------
    which samples : slice
    scores : float32 array (n, M)
    scores of the samples themselves : float32 array (n,)
    """
    masks = np.ascontiguousarray(masks, dtype=np.float32)
    graph, lanes = call.model._programs.graph, call.model._programs.tile_lanes
    count = masks.shape[1]
    summed = segment_sums.pays(graph, lanes, count, len(masks))
    patterns = None
    if not segments.per_sample and not summed:
        maps = segments.maps[0]
        patterns = call.model._programs.remembered(
            lambda: find_patterns(graph, lanes, maps, masks), maps, masks
        )

    def batch(part: Call, index: slice) -> tuple[MaskedScores, list[np.ndarray]]:
        base, own = baseline.chosen(index), segments.chosen(index)
        common: dict[str, Any] = {
            "score": part.score,
            "shape": as_three_axes(part.samples.shape[1:]),
            "steps": len(masks),
            "baseline_per_sample": base.per_sample,
            "count": count,
            "segments_per_sample": own.per_sample,
        }
        if summed:
            return SegmentSums(**common), [base.values, masks, own.maps, np.arange(count)]
        if patterns is None:
            return SegmentMasks(**common), [base.values, masks, own.maps]
        shown = patterns.masks
        table = SegmentPatterns(**common, tensor=patterns.tensor, patterns=len(shown))
        return table, [base.values, patterns.choice, own.maps, shown]

    return _scores(call, batch, masks if patterns is None else patterns.choice)


def box_scores(call: Call, baseline: Baseline, spans: Spans) -> Scores:
    """Scores with one box replaced at a time: each of the spans along an axis, with each other."""
    boxes = np.ascontiguousarray(all_boxes(spans))

    def batch(part: Call, index: slice) -> tuple[MaskedScores, list[np.ndarray]]:
        base = baseline.chosen(index)
        shape = as_three_axes(part.samples.shape[1:])
        probe = Boxes(part.score, shape, len(boxes), base.per_sample, spans=spans)
        return probe, [base.values, boxes]

    return _scores(call, batch, boxes)


def swap_scores(call: Call, segments: Segments, masks: np.ndarray, choice: np.ndarray) -> Scores:
    """As `segment_scores`, replaced parts coming from sample ``choice[mask, sample]``."""
    masks = np.ascontiguousarray(masks, dtype=np.float32)

    def batch(part: Call, index: slice) -> tuple[MaskedScores, list[np.ndarray]]:
        own = segments.chosen(index)
        probe = SegmentSwaps(
            part.score,
            as_three_axes(part.samples.shape[1:]),
            len(masks),
            0,
            count=masks.shape[1],
            segments_per_sample=own.per_sample,
            samples=len(part.samples),
        )
        others = np.ascontiguousarray(choice[:, index])
        return probe, [call.samples, masks, own.maps, others]

    return _scores(call, batch, masks, singly=False)


Batch = Callable[[Call, slice], tuple[MaskedScores, list[np.ndarray]]]


def _scores(call: Call, batch: Batch, masks: np.ndarray, singly: bool = True) -> Scores:
    """Run batches of samples, or one sample after another if there are few of a dense model."""
    lanes = call.model._programs.tile_lanes
    steps, samples = len(masks), len(call.samples)
    few = samples < lanes and steps >= lanes * FEWEST_STEPS
    single = singly and few and not call.model._programs.images
    unit = 1 if single else max(lanes, SCORE_BYTES // (4 * steps) // lanes * lanes)
    with progress_bar(samples, "masked samples", call.progress) as bar:
        for first in range(0, samples, unit):
            index = slice(first, min(first + unit, samples))
            part = call.chosen(index)
            part.progress = False
            probe, more = batch(part, index)
            if single:
                yield index, *_run_single(part, probe, more, masks, lanes)
            else:
                scores = np.empty((len(part.samples), steps), np.float32)
                full = np.empty(len(scores), np.float32)
                part.run(probe, scores, [full, *more], repeats=steps)
                yield index, scores, full
            if bar is not None:
                bar(len(part.samples))


def _run_single(
    call: Call, probe: MaskedScores, more: list[np.ndarray], masks: np.ndarray, lanes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The masks of one sample, dealt out to lanes."""
    parts = min(len(masks) // (lanes * FEWEST_STEPS), 2 * call.threads)
    rows = lanes * max(parts, 1)
    steps = -(-len(masks) // rows)
    # what is left over repeats the last mask
    dealt = np.concatenate([masks, np.repeat(masks[-1:], rows * steps - len(masks), axis=0)])
    more[MASKS - BASELINE] = dealt
    probe = replace(probe, steps=steps, baseline_per_sample=0, lanes_are_masks=True)
    scores = np.empty((1, rows * steps), np.float32)
    full = np.empty(rows, np.float32)
    call.run(probe, scores, [full, *more], repeats=steps, copies=rows)
    return scores[:, : len(masks)], full[:1]
