"""Any method, averaged over noisy copies of the input.

What `smoothgrad` does for gradients (Smilkov, Thorat, Kim, Viegas and Wattenberg, "SmoothGrad:
removing noise by adding noise", 2017), for other methods, as Captum's `NoiseTunnel`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlit.arguments import check_out
from backlit.attribution.call import Call
from backlit.attribution.checked import checked
from backlit.attribution.smoothgrad import KEY, OTHER, SCALE, check_noise
from backlit.by_name import find_method
from backlit.checks import whole
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.noise import noisy_input
from backlit.model import Model
from backlit.progress import progress_bar
from backlit.streams import check_seed, stream_keys
from backlit.tape import Steps

CHUNK_BYTES = 64 << 20  # of noisy copies that are explained in one call, if `memory` allows
STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda maps: maps.mean(axis=1, dtype=np.float64),
    "squared": lambda maps: np.square(maps, dtype=np.float64).mean(axis=1),
    "variance": lambda maps: maps.var(axis=1, dtype=np.float64),
}


@dataclass(frozen=True)
class NoisyCopies:
    """So many noisy copies of the input, one at each step."""

    copies: int
    antithetic: bool

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.tape.steps = Steps.APART
        own.tape.section = "prologue"
        x = own.load()
        key, other, scale = (
            own.load_lane_values(port, per_sample=1, per_step=0) for port in (KEY, OTHER, SCALE)
        )
        own.tape.section = "body"
        noisy = noisy_input(own, x, (key, other), scale, self.antithetic)
        own.store(noisy, 0, per_sample=self.copies, per_step=1)
        return own


@checked
def noise_tunnel(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    of: str = "integrated_gradients",
    copies: int = 10,
    noise: float = 0.1,
    relative: bool = True,
    statistic: str = "mean",
    antithetic: bool = False,
    seed: int | np.random.Generator = 0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
    **options: Any,
) -> np.ndarray:
    """A statistic of the maps that a method makes of noisy copies of the input.

    The noise, the statistics and their sources are those of `smoothgrad`, which is quicker for
    gradients.

    Parameters
    ----------
    of : str
        A method's name, as for `backlit.attribute`.
    copies : int
        Noisy copies of each input, at least 1.
    statistic : {"mean", "squared", "variance"}
        The mean, the mean square or the variance of the maps, divided by `copies`.
    model, X, target, noise, relative, antithetic, seed
        As for `backlit.smoothgrad`. With `target` None the class is the one predicted without
        noise.
    score, threads, progress, out, memory
        As for `backlit.saliency`.
    **options
        The method's own arguments. Arrays among them are the same for all samples.

    Returns
    -------
    float32 array of the shape that the method returns for `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for what the method does not take.
    """
    method = find_method(of)
    more = [name for name in options if name.startswith("return_") and options[name]]
    if more:
        raise ValueError(f"{more[0]} must be False: only maps are averaged")
    call = Call(model, X, target, score, threads, False, out, memory)
    copies = whole("copies", copies, 1)
    noises = noise, relative, statistic, antithetic
    scale = check_noise(call.samples, "copies", copies, *noises)
    targets = call.targets
    if targets is None and model.classes > 1:
        targets = call.model._targets(call.logits(call.samples))
    keys = stream_keys(call.samples, check_seed(seed))
    probe = NoisyCopies(copies, antithetic)
    result = None
    shape = call.samples.shape[1:]
    room = min(CHUNK_BYTES, call.memory or CHUNK_BYTES)
    chunk = max(1, room // (4 * copies * prod(shape)))
    common: dict[str, Any] = {"score": score, "threads": threads, "memory": memory, **options}
    with progress_bar(len(call.samples), f"{of} of noisy copies", progress) as bar:
        for first in range(0, max(len(call.samples), 1), chunk):
            index = slice(first, first + chunk)
            part = call.chosen(index)
            noisy = np.empty((len(part.samples), copies, *shape), np.float32)
            ports = [*np.ascontiguousarray(keys[:, index]), scale[index]]
            part.run(probe, noisy, ports, repeats=copies)
            given = noisy.reshape(-1, *shape)
            given = np.moveaxis(given, 1, -1) if model.channels_last else given
            classes = None if targets is None else np.repeat(targets[index], copies)
            maps = np.asarray(method(model, given, classes, **common))
            maps = maps.reshape(len(noisy), copies, *maps.shape[1:])
            if result is None:
                result = check_out(out, (len(call.samples), *maps.shape[2:]))
            result[index] = STATISTICS[statistic](maps)
            if bar is not None:
                bar(len(noisy))
    assert result is not None
    return result
