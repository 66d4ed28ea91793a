"""Sums over the steps of a tape, made of partial sums: see `backlit_kernels.fold`."""

from dataclasses import dataclass

from backlit_kernels import fold
from backlit_kernels.kernel import Kernel

from backlit.instructions import Buffer
from backlit.lowering.choices import add_choices
from backlit.lowering.context import Lowering


def sum_of_steps(lowering: Lowering, tensor: int) -> "StepSum":
    """A sum of a tensor's layout, to be begun in the prologue."""
    return StepSum(lowering, tensor, lowering.zeros(tensor), lowering.zeros(tensor))


@dataclass(frozen=True)
class StepSum:
    """A sum over the steps: the current partial sum, and the total of those before.

    In the epilogue the total is all of it.
    """

    lowering: Lowering
    tensor: int
    partial: Buffer
    total: Buffer

    def add(self, x: Buffer, weight: Buffer) -> None:
        """Add this step's ``weight * x``, the weight being lane values."""
        self._emit(fold.accumulate_step, x=x, weight=weight)

    def add_gradient(self, point: Lowering, weight: Buffer) -> None:
        """Add this step's gradient of the tensor, to which a pass went back `to_add` it here."""
        pooling = point.chosen.pop(self.tensor, None)
        if pooling is None:
            self.add(point.gradients[self.tensor], weight)
            return
        add_choices(point, self.tensor, pooling, self.partial, self.total, weight)

    def add_contribution(self, x: Buffer, x0: Buffer, g: Buffer, weight: Buffer) -> None:
        """Add this step's ``weight * (x - x0) * g``."""
        self._emit(fold.accumulate_contribution, x=x, x0=x0, g=g, weight=weight)

    def _emit(self, kernel: Kernel, **operands: Buffer) -> None:
        self.lowering.tape.emit(
            kernel,
            partial=self.partial,
            total=self.total,
            size=self.lowering.layouts[self.tensor].size,
            lanes=self.lowering.lanes,
            **operands,
        )
