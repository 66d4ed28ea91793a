"""Probes of masked samples: the score with parts of a sample replaced, one mask after another.

The tile holds a sample and its baseline; each repetition of the body makes one masked sample,
runs it forward and writes its score. Lanes are samples, all under the same mask; where samples of a
model for features are few, lanes are masks of one sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from backlit_kernels import masking

from backlit.graph import Graph
from backlit.images import Shape3
from backlit.instructions import Buffer
from backlit.lowering import Lowering, changed_regions
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.winograd import LEAST_CHANNELS
from backlit.tape import Steps

FULL, BASELINE, MASKS, SEGMENTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 4)
Span = tuple[tuple[int, int], ...]  # where boxes begin and end along an axis
Spans = tuple[Span, ...]  # along channels, rows and columns
# Gives a pass the masked sample, or what layers make of it; returns what puts the sample back.
Change = Callable[[Lowering], Callable[[], None]]


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
    winograd_from: ClassVar[float] = 0

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept |= self.kept(graph)
        own.winograd_from = self.winograd_from
        own.tape.steps = Steps.APART
        own.tape.section = "prologue"
        x = own.load(per_sample=self.per_sample)
        own.forward()
        targets = own.choose_targets()
        own.store_lane_values(own.score_values(self.score, targets), FULL)
        point = own.another_pass()
        change = self.prepare(own, x)

        own.tape.section = "body"
        restore = change(point)
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

    def prepare(self, own: Lowering, x: Buffer) -> Change:
        """Write the prologue's part; returns what writes the body's."""
        raise NotImplementedError

    def kept(self, graph: Graph) -> set[int]:
        """Tensors that are made use of as they are: not fused away."""
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

    def prepare(self, own: Lowering, x: Buffer) -> Change:
        x0 = self.replacement(own)
        mask = own.zeros(0)

        def change(point: Lowering) -> Callable[[], None]:
            self.refill(own, x0)
            point.activations[0] = self.blended(own, x, x0, mask)
            return nothing

        return change

    def blended(
        self, own: Lowering, x: Buffer, x0: Buffer, mask: Buffer, port: int = MASKS, first: int = 0
    ) -> Buffer:
        """Parts of two tensors: by the mask at the current step, counted from `first` on."""
        origin, pixels = self.pixels(own)
        own.tape.emit(
            masking.spread_mask,
            masks=port,
            segments=SEGMENTS,
            count=self.count,
            masks_per_sample=self.masks_per_sample,
            first=first,
            segments_per_sample=self.segments_per_sample,
            out=mask.at(origin),
            **pixels,
        )
        out = own.new_buffer(0)
        size = own.layouts[0].size
        own.tape.emit(masking.blend, a=x, b=x0, mask=mask, out=out, size=size)
        return out

    def replacement(self, own: Lowering) -> Buffer:
        """What masked pixels are replaced by."""
        return own.another_pass().load(BASELINE, per_sample=self.baseline_per_sample)

    def refill(self, own: Lowering, x0: Buffer) -> None:
        """Change the replacement from step to step; a baseline stays."""


@dataclass(frozen=True)
class SegmentPatterns(SegmentMasks):
    """The same, of masks of zeros and ones, from what the first layers make of a few patterns.

    `MASKS` holds the choice of patterns (see `backlit.lowering.patterns`), the port after
    `SEGMENTS` their masks.
    """

    tensor: int = 0
    patterns: int = 0

    def kept(self, graph: Graph) -> set[int]:
        return {self.tensor}

    def prepare(self, own: Lowering, x: Buffer) -> Change:
        x0 = self.replacement(own)
        mask = own.zeros(0)
        layout = own.layouts[self.tensor]
        channels, height, width = layout.image
        part = channels * own.lanes
        image = {"channels": channels, "height": height, "image_width": width}
        image |= {"plane": layout.plane, "row": layout.pitch, "size": self.patterns * part}
        table = own.tape.buffer(self.patterns * part * height * width)
        for number in range(self.patterns):
            shown = own.another_pass()
            shown.activations[0] = self.blended(own, x, x0, mask, SEGMENTS + 1, number)
            shown.forward(until=self.tensor)
            own.tape.emit(
                masking.keep_pattern(own.lanes),
                x=shown.activations[self.tensor].at(layout.origin),
                out=table.at(number * part),
                **image,
            )
        out = own.zeros(self.tensor)

        def change(point: Lowering) -> Callable[[], None]:
            own.tape.emit(
                masking.pick_patterns(own.lanes),
                choice=MASKS,
                patterns=table,
                out=out.at(layout.origin),
                **image,
            )
            point.activations[self.tensor] = out
            return nothing

        return change


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
    winograd_from = LEAST_CHANNELS  # regions are put into what the same sums made

    def stages(self, graph: Graph) -> list[tuple[changed_regions.Stage, changed_regions.Regions]]:
        return changed_regions.plan_stages(graph, all_boxes(self.spans))

    def kept(self, graph: Graph) -> set[int]:
        return {stage.output for stage, _ in self.stages(graph)}

    def forward(self, own: Lowering, point: Lowering) -> Callable[[], None]:
        passes = changed_regions.LocalForward(own, self.stages(own.graph))
        passes.forward(point)
        return passes.restore

    def prepare(self, own: Lowering, x: Buffer) -> Change:
        x0 = own.another_pass().load(BASELINE, per_sample=self.baseline_per_sample)
        out = own.another_pass().load(per_sample=self.per_sample)

        def change(point: Lowering) -> Callable[[], None]:
            self.copy(own, x0, out)
            point.activations[0] = out
            return lambda: self.copy(own, x, out)

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
