"""What all methods do with their common arguments."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from backlit.arguments import check_memory, check_out, check_score, check_targets, check_threads
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.model import Model, check_model
from backlit.probes import Logits, Probe
from backlit.programs import ProgramStore
from backlit.progress import progress_bar


class Call:
    """The checked common arguments of a method.

    Attributes
    ----------
    samples : float32 array of shape (N, *shape of a sample)
    targets : int64 array of shape (N,), or None for the predicted classes or the only value
    score : int
        As the kernels number scores.
    """

    def __init__(
        self,
        model: Model,
        X: Any,
        target: Any,
        score: str,
        threads: int | None,
        progress: bool,
        out: np.ndarray | None,
        memory: int | None,
    ) -> None:
        check_model(model)
        self.model = model
        self.samples = model._samples(X)
        self.targets = check_targets(target, len(self.samples), model.classes, model.outputs)
        self.score = check_score(score, model.outputs)
        self.threads = check_threads(threads)
        self.progress = progress
        self.memory = check_memory(memory)
        self._out = out

    def result(self, *shape: int) -> np.ndarray:
        """The array to write to: `out` if it was given; by default of the samples' shape."""
        return check_out(self._out, shape or self.samples.shape)

    def logits(self, samples: np.ndarray) -> np.ndarray:
        """The model's, for float32 samples as methods know them."""
        programs = self.model._programs
        result = np.empty((len(samples), self.model._width), np.float32)
        ports = [samples, result, None]
        programs.run(Logits(), ports, len(samples), self.threads, memory=self.memory)
        return result

    def chosen(self, index: np.ndarray | slice) -> "Call":
        """The same call for some of the samples."""
        part = copy(self)
        part.samples = self.samples[index]
        part.targets = None if self.targets is None else self.targets[index]
        part._out = None
        return part

    def run(
        self,
        probe: Probe,
        result: np.ndarray | None,
        more: Sequence[np.ndarray] = (),
        *,
        repeats: int = 1,
        label: str = "explaining",
        copies: int = 1,
        programs: ProgramStore | None = None,
    ) -> None:
        """Run a probe over the samples, which are at port `INPUT`, their targets at `TARGETS`.

        Parameters
        ----------
        probe : Probe
        result : float32 array, contiguous, or None
            At port `OUTPUT`.
        more : sequence of contiguous arrays
            At the ports from `FIRST_FREE_PORT` on.
        repeats : int
            How often the tape's body is run for each sample.
        label : str
            What the progress bar says.
        copies : int
            How many lanes a lone sample takes; the probe must load it into all of them.
        programs : ProgramStore, optional
            Those of another form of the model's graph; default: the model's.
        """
        targets = None if self.targets is None else np.repeat(self.targets, copies)
        ports = [self.samples, result, targets]
        assert len(ports) == FIRST_FREE_PORT
        programs = programs or self.model._programs
        count = len(self.samples) * copies
        if not count:
            probe.lower(programs.graph, 1)  # which refuses layers that it has no rule for
        with progress_bar(count, label, self.progress) as bar:
            programs.run(probe, [*ports, *more], count, self.threads, bar, repeats, self.memory)
