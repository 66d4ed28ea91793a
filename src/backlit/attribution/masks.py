"""Probes of masked samples: the score with parts of a sample replaced, one mask after another.

The tile holds a sample and its baseline; each repetition of the body makes one masked sample,
runs it forward and writes its score. Lanes are samples, all under the same mask; where samples are
few, lanes are masks of one sample.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from backlit_kernels import masking

from backlit.graph import Graph
from backlit.lowering import Lowering, local
from backlit.lowering.context import FIRST_FREE_PORT
from backlit.segments import Shape3
from backlit.tape import Buffer

FULL, BASELINE, MASKS, SEGMENTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 4)
Span = tuple[tuple[int, int], ...]  # where boxes begin and end along an axis
Spans = tuple[Span, ...]  # along channels, rows and columns


@dataclass(frozen=True)
class MaskedScores:
    """Scores of masked samples to the output, of the samples themselves to port `FULL`.

    The target is the class given, or else the one predicted for the sample itself.
    """

    score: int
    shape: Shape3
    steps: int  # masks for each lane
    baseline_per_sample: int
    lanes_are_masks: bool = False

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept |= self.kept(graph)
        own.tape.section = "prologue"
        x = own.load(per_sample=self.per_sample)
        own.forward()
        targets = own.choose_targets()
        own.store_lane_values(own.score_values(self.score, targets), FULL)
        point = own.another_pass()
        change = self.prepare(own, x)

        own.tape.section = "body"
        point.activations[0], restore = change()
        put_back = self.forward(own, point)
        values = point.score_values(self.score, targets)
        own.store_lane_values(values, per_sample=self.steps, per_step=1)
        put_back()
        restore()
        return own

    @property
    def per_sample(self) -> int:
        return int(not self.lanes_are_masks)

    @property
    def masks_per_sample(self) -> int:
        return self.steps if self.lanes_are_masks else 0

    def prepare(self, own: Lowering, x: Buffer) -> Callable[[], tuple[Buffer, Callable[[], None]]]:
        """Write the prologue's part; returns what writes the body's and gives the masked sample
        and what puts it back.
        """
        raise NotImplementedError

    def kept(self, graph: Graph) -> set[int]:
        """Tensors of the sample itself that `forward` makes use of."""
        return set()

    def forward(self, own: Lowering, point: Lowering) -> Callable[[], None]:
        """The masked sample's pass; returns what undoes its changes to the sample's own."""
        point.forward()
        return nothing

    def pixels(self, own: Lowering) -> tuple[int, dict[str, int]]:
        """Where the first pixel lies, and the operands that say where the others are."""
        channels, height, width = self.shape
        layout = own.layouts[0]
        plane, row = height * width * own.lanes, width * own.lanes
        if len(layout.shape) == 3:
            plane, row = layout.plane, layout.pitch
        sizes = {"channels": channels, "height": height, "width": width}
        return layout.origin, {**sizes, "plane": plane, "row": row, "lanes": own.lanes}


def nothing() -> None:
    """Puts nothing back."""


@dataclass(frozen=True)
class SegmentMasks(MaskedScores):
    """``mask * x + (1 - mask) * baseline``, a mask being a value for each segment."""

    count: int = 0  # segments
    segments_per_sample: int = 0

    def prepare(self, own: Lowering, x: Buffer) -> Callable[[], tuple[Buffer, Callable[[], None]]]:
        x0 = self.replacement(own)
        mask = own.zeros(0)
        origin, pixels = self.pixels(own)

        def change() -> tuple[Buffer, Callable[[], None]]:
            self.refill(own, x0)
            own.tape.emit(
                masking.spread_mask,
                masks=MASKS,
                segments=SEGMENTS,
                count=self.count,
                masks_per_sample=self.masks_per_sample,
                segments_per_sample=self.segments_per_sample,
                out=mask.at(origin),
                **pixels,
            )
            out = own.new_buffer(0)
            size = own.layouts[0].size
            own.tape.emit(masking.blend, a=x, b=x0, mask=mask, out=out, size=size)
            return out, nothing

        return change

    def replacement(self, own: Lowering) -> Buffer:
        """What masked pixels are replaced by."""
        return own.another_pass().load(BASELINE, per_sample=self.baseline_per_sample)

    def refill(self, own: Lowering, x0: Buffer) -> None:
        """Change the replacement from step to step; a baseline stays."""


@dataclass(frozen=True)
class SegmentSwaps(SegmentMasks):
    """The same with another sample for a baseline, chosen anew at each step.

    `BASELINE` holds the samples to choose from, the port after `SEGMENTS` the choice.
    """

    samples: int = 0

    def replacement(self, own: Lowering) -> Buffer:
        return own.zeros(0)

    def refill(self, own: Lowering, x0: Buffer) -> None:
        origin, pixels = self.pixels(own)
        own.tape.emit(
            masking.load_chosen,
            port=BASELINE,
            choice=SEGMENTS + 1,
            samples=self.samples,
            out=x0.at(origin),
            **pixels,
        )


def all_boxes(spans: Spans) -> np.ndarray:
    """Where boxes begin and end by channel, row and column (M, 6), in order; the last fastest."""
    axes = [np.array(span, np.int64) for span in spans]
    order = np.indices([len(span) for span in spans]).reshape(3, -1)
    return np.hstack([axis[n] for axis, n in zip(axes, order, strict=True)])


@dataclass(frozen=True)
class Boxes(MaskedScores):
    """The baseline in one box of pixels after another; `MASKS` holds the boxes."""

    spans: Spans = ()

    def stages(self, graph: Graph) -> list[tuple[local.Stage, local.Regions]]:
        return local.plan_stages(graph, all_boxes(self.spans))

    def kept(self, graph: Graph) -> set[int]:
        return {stage.output for stage, _ in self.stages(graph)}

    def forward(self, own: Lowering, point: Lowering) -> Callable[[], None]:
        passes = local.LocalForward(own, self.stages(own.graph), self.masks_per_sample)
        passes.forward(point)
        return passes.restore

    def prepare(self, own: Lowering, x: Buffer) -> Callable[[], tuple[Buffer, Callable[[], None]]]:
        x0 = own.another_pass().load(BASELINE, per_sample=self.baseline_per_sample)
        out = own.another_pass().load(per_sample=self.per_sample)

        def change() -> tuple[Buffer, Callable[[], None]]:
            self.copy(own, x0, out)
            return out, lambda: self.copy(own, x, out)

        return change

    def copy(self, own: Lowering, source: Buffer, out: Buffer) -> None:
        origin, pixels = self.pixels(own)
        own.tape.emit(
            masking.copy_box,
            boxes=MASKS,
            boxes_per_sample=self.masks_per_sample,
            source=source.at(origin),
            out=out.at(origin),
            **{name: pixels[name] for name in ("plane", "row", "lanes")},
        )
