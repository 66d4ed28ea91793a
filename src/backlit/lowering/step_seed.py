"""Where the way back begins at the steps of a tape, all for the same targets.

From a logit back through the affine end of a network the derivative is the same at every step: it
is taken once, in the prologue.
"""

from dataclasses import dataclass

from backlit_kernels.scores import LOGIT

from backlit.instructions import Buffer
from backlit.lowering.context import Lowering


@dataclass(frozen=True)
class StepSeed:
    """The score that is differentiated; what gradients are the same for all steps, by tensor."""

    score: int
    targets: Buffer
    known: dict[int, Buffer]

    def sow(self, point: Lowering) -> None:
        """Start the way back of a step's pass."""
        if self.known:
            point.gradients.update(self.known)
        else:
            point.seed(self.score, self.targets)


def seed_of_steps(lowering: Lowering, score: int, targets: Buffer, until: int = 0) -> StepSeed:
    """In the prologue, for passes that go back to the tensor `until`."""
    if score != LOGIT:
        return StepSeed(score, targets, {})
    ahead = lowering.another_pass()
    end = max(ahead.affine_end, until)
    ahead.kept = ahead.kept | {end}  # so that no activation before it is passed at once
    ahead.seed(score, targets)
    ahead.backward(end)
    return StepSeed(score, targets, {end: ahead.gradients[end]})
