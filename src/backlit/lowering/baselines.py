"""Passes of baselines: where all samples share them, they are made once, before any sample.

Several of them, one a step, are passed side by side, a lane each; when a step has come, what is
asked for of its baseline is spread over the lanes of the tile.
"""

from backlit_kernels.samples import spread_lane

from backlit.instructions import Buffer
from backlit.lowering.context import Lowering
from backlit.tape import Steps

MOST_FLOATS = 1 << 24  # of the activations of all baselines side by side, which are kept


def baseline_pass(
    lowering: Lowering,
    port: int,
    *,
    per_sample: int = 0,
    steps: int = 1,
    until: int | None = None,
) -> Lowering:
    """A pass of the baselines in the array at a port, for use in the body.

    The array has an entry for each sample (`per_sample` 1), or one for each of the steps.
    """
    tape, begin = lowering.tape, lowering.another_pass()
    tiles = -(-steps // lowering.lanes)
    kept = tiles * sum(layout.size for layout in lowering.layouts)
    alone = lowering.lanes == 1 or tape.steps is Steps.DEALT or kept > MOST_FLOATS
    if per_sample or steps == 1 or alone:
        section = "prologue" if per_sample else "setup" if steps == 1 else "body"
        with tape.in_section(section):
            begin.load(port, per_sample=per_sample, per_step=int(steps > 1))
            begin.forward(until)
        return begin
    passes = [lowering.another_pass() for _ in range(tiles)]
    with tape.in_section("setup"):
        for tile, side_by_side in enumerate(passes):
            first = tile * lowering.lanes
            count = min(steps - first, lowering.lanes)
            side_by_side.load(port, entries=range(first, first + count))
            side_by_side.forward(until)
    begin.activations = Spread(begin, passes)
    return begin


class Spread(dict[int, Buffer]):
    """The current step's activations, from passes of the steps side by side, when asked for."""

    def __init__(self, lowering: Lowering, passes: list[Lowering]) -> None:
        super().__init__()
        self.lowering, self.passes = lowering, passes

    def __missing__(self, tensor: int) -> Buffer:
        out = self[tensor] = self.lowering.new_buffer(tensor)
        lanes = self.lowering.lanes
        for tile, side_by_side in enumerate(self.passes):
            self.lowering.tape.emit(
                spread_lane,
                x=side_by_side.activations[tensor],
                out=out,
                size=self.lowering.layouts[tensor].size,
                first=tile * lanes,
                lanes=lanes,
            )
        return out
