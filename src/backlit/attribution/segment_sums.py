"""Masked scores of a network that starts with a dense layer, from what each segment adds to it.

The layer is affine: under a mask its output is that of the baseline, plus what each kept segment's
features add (see `backlit_kernels.segment_sums`). With s segments of d features a mask then takes s
products for each of the layer's outputs, not d.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from backlit_kernels import masking, segment_sums
from backlit_kernels.vector import LANES

from backlit.attribution.masked_probes import MASKS, SEGMENTS, Change, SegmentMasks, nothing
from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import BatchNorm, Dense, Flatten
from backlit.layout import Layout, round_up
from backlit.lowering import Lowering
from backlit.operators import Reshape

LEAST_MASKS = 16  # for which knowing what segments add pays
LEAST_FEATURES = 3  # of a segment, on average
SHARES_BYTES = 32 * 1024 * 1024  # of a tile


def first_dense(graph: Graph) -> Node | None:
    """The dense layer that alone reads the input, each value scaled at most, if there is one."""
    tensor = 0
    while len(users := graph.consumers(tensor)) == 1:
        if isinstance(users[0].layer, Dense):
            return users[0] if len(graph.shapes[tensor]) == 1 else None
        if not isinstance(users[0].layer, Flatten | Reshape | BatchNorm):
            break
        tensor = users[0].output
    return None


def pays(graph: Graph, lanes: int, segments: int, masks: int) -> bool:
    """Whether sums over so many segments are less work than the first layer, for so many masks."""
    node = first_dense(graph)
    if node is None or masks < LEAST_MASKS:
        return False
    assert isinstance(node.layer, Dense)
    features, outputs = node.layer.weights.shape
    fits = 4 * lanes * round_up(outputs, LANES) * segments <= SHARES_BYTES
    return fits and features >= LEAST_FEATURES * segments


@dataclass(frozen=True)
class SegmentSums(SegmentMasks):
    """``mask * x + (1 - mask) * baseline``, a mask being a value for each segment.

    The port after `SEGMENTS` holds the segments' numbers in a row.
    """

    def kept(self, graph: Graph) -> set[int]:
        node = first_dense(graph)
        assert node is not None
        return {node.inputs[0], node.output}

    def prepare(self, own: Lowering, x: Buffer) -> Change:
        node = first_dense(own.graph)
        assert node is not None
        tensor, layer, lanes = node.output, node.layer, own.lanes
        assert isinstance(layer, Dense)
        blank = own.another_pass()
        blank.activations[0] = self.replacement(own)
        blank.forward(until=tensor)
        features, outputs = layer.weights.shape
        row = round_up(outputs, LANES)
        of_one = self.lanes_are_masks or lanes == 1
        shares = own.tape.buffer(row * self.count * (1 if of_one else lanes))
        own.tape.emit(
            segment_sums.segment_shares,
            x=own.activations[node.inputs[0]],
            baseline=blank.activations[node.inputs[0]],
            step=lanes,
            features=features,
            segments=SEGMENTS,
            segments_per_sample=self.segments_per_sample,
            weights=own.tape.constants.derived(
                layer.weights,
                ("rows", row),
                lambda: np.pad(layer.weights, ((0, 0), (0, row - outputs))),
            ),
            row=row,
            outputs=outputs,
            shares=shares,
            count=self.count,
            lanes=1 if of_one else lanes,
        )
        add = self._add_of_one if self.lanes_are_masks else self._add
        emit = add(own, blank.activations[tensor], shares, outputs)

        def change(point: Lowering) -> Callable[[], None]:
            point.activations[tensor] = out = own.new_buffer(tensor)
            emit(out)
            return nothing

        return change

    def _add(
        self, own: Lowering, start: Buffer, shares: Buffer, outputs: int
    ) -> Callable[[Buffer], None]:
        size = round_up(outputs * own.lanes, LANES)
        block = own.tape.buffer(segment_sums.BLOCK * size)
        own.fill_zero(block, segment_sums.BLOCK * size)  # begun here, it stays from step to step
        block_at = own.fill_lane_values(-1.0)

        def emit(out: Buffer) -> None:
            own.tape.emit(
                segment_sums.add_shares,
                masks=MASKS,
                steps=self.steps,
                start=start,
                shares=shares,
                count=self.count,
                block=block,
                block_at=block_at,
                out=out,
                size=size,
            )

        return emit

    def _add_of_one(
        self, own: Lowering, start: Buffer, shares: Buffer, outputs: int
    ) -> Callable[[Buffer], None]:
        mask = own.tape.buffer(self.count * own.lanes)

        def emit(out: Buffer) -> None:
            own.tape.emit(
                masking.spread_mask,
                masks=MASKS,
                segments=SEGMENTS + 1,
                count=self.count,
                masks_per_sample=self.masks_per_sample,
                first=0,
                segments_per_sample=0,
                out=mask,
                **Layout((self.count,), own.lanes).pixels,
            )
            own.tape.emit(
                segment_sums.add_shares_of_one,
                mask=mask,
                start=start,
                shares=shares,
                count=self.count,
                out=out,
                outputs=outputs,
                lanes=own.lanes,
            )

        return emit
