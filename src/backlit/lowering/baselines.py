"""Passes of baselines: where all samples share them, they are made once, before any sample.

Several of them, one a step, are passed side by side, a lane each, and what is asked for of each is
kept without its lanes; when its step has come, it is spread over the lanes of the tile.
"""

from dataclasses import dataclass

from backlit_kernels import strided
from backlit_kernels.samples import spread_step

from backlit.instructions import Buffer
from backlit.lowering.context import Lowering
from backlit.lowering.strided import nest
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


@dataclass(frozen=True)
class StepValues:
    """A tensor that all samples share, of each step: `size` floats, where a tile has vectors."""

    buffer: Buffer
    size: int


class Spread(dict[int, Buffer]):
    """The current step's activations, from passes of the steps side by side, when asked for."""

    def __init__(self, lowering: Lowering, passes: list[Lowering]) -> None:
        super().__init__()
        self.lowering, self.passes = lowering, passes
        self.apart: dict[int, StepValues] = {}

    def __missing__(self, tensor: int) -> Buffer:
        values, out = self.of_steps(tensor), self.lowering.new_buffer(tensor)
        self[tensor] = out
        self.lowering.tape.emit(
            spread_step, x=values.buffer, size=values.size, out=out, lanes=self.lowering.lanes
        )
        return out

    def of_steps(self, tensor: int) -> StepValues:
        """The activations of a tensor at each step."""
        if tensor not in self.apart:
            tape, lanes = self.lowering.tape, self.lowering.lanes
            size = self.lowering.layouts[tensor].size // lanes
            values = tape.buffer(len(self.passes) * lanes * size)
            loops = nest((lanes, size), [(1, lanes), (size, 1)], lanes=1)
            with tape.in_section("setup"):
                for tile, side_by_side in enumerate(self.passes):
                    tape.emit(
                        strided.copy,
                        x=side_by_side.activations[tensor],
                        out=values.at(tile * lanes * size),
                        run=loops.run,
                        accumulate=0,
                        loops=loops.table,
                    )
            self.apart[tensor] = StepValues(values, size)
        return self.apart[tensor]


def values_of(begin: Lowering, tensor: int) -> StepValues | Buffer:
    """A tensor of baselines, for a kernel that takes either."""
    if isinstance(begin.activations, Spread):
        return begin.activations.of_steps(tensor)
    return begin.activations[tensor]
