"""``backlit attribute``: any method, over a data set."""

import inspect
import json
from typing import Any

import click
import numpy as np

from backlit.by_name import find_method
from backlit.cli.inputs import check_ending, common_options, find_model, read_samples, write_maps
from backlit.words import counted


@click.command(
    "attribute", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@common_options
@click.option("--method", default="integrated_gradients", show_default=True, help="Its name.")
@click.pass_context
def command(
    context: click.Context, model: str, data: str, out: str, target: str, limit: int | None,
    method: str, **options: Any,
) -> None:  # fmt: skip
    """Explain each sample by a method and write the maps as one array.

    MODEL and DATA are as for `backlit saliency`. A method's own arguments are options too:
    --steps 100, --baseline 0.5, --rule epsilon; `backlit methods` lists the methods. Arrays
    (backgrounds, segments, baselines) are given as paths of .npy files.
    """
    check_ending(out)
    function = find_method(method)
    own = own_options(context.args, function)
    X, targets = read_samples(data, limit, target)
    maps = function(find_model(model), X, targets, progress=True, **options, **own)
    write_maps(out, np.asarray(maps))
    click.echo(f"{counted(len(maps), 'map')} of shape {np.shape(maps)[1:]} written to {out}")


def own_options(words: list[str], function: Any) -> dict[str, Any]:
    """``--name value`` pairs for a method's own parameters; values as JSON, or else as text."""
    known = inspect.signature(function).parameters
    result: dict[str, Any] = {}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        name, joined, value = word.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if not word.startswith("--") or name not in known:
            names = ", ".join(n for n in known if n not in ("model", "X", "out", "progress"))
            raise click.UsageError(f"{function.__name__} has no option {word!r}; it takes {names}")
        if not joined:
            if not remaining:
                raise click.UsageError(f"option --{name} needs a value")
            value = remaining.pop(0)
        result[name] = parsed(value)
    return result


def parsed(value: str) -> Any:
    if value.endswith(".npy"):
        return np.load(value, allow_pickle=False)
    if value in ("None", "True", "False"):
        return {"None": None, "True": True, "False": False}[value]
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
