"""``backlit attribute``: any method, over a data set."""

import inspect
import json
from difflib import get_close_matches
from typing import Any

import click

from backlit.by_name import find_method
from backlit.cli.inputs import check_place, common_options, explain_to
from backlit.files import read_array

# what the command itself gives to a method
GIVEN = ("model", "X", "target", "score", "threads", "progress", "out")
WORDS = {"none": None} | dict.fromkeys(["true", "yes", "on"], True)
WORDS |= dict.fromkeys(["false", "no", "off"], False)


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
    --steps 100, --window 3,3, --rule epsilon; `backlit methods` lists the methods. Arrays
    (backgrounds, segments, baselines) are given as paths of .npy files, dicts as JSON:
    --rule '{"0": "flat", "3": ["gamma", 0.1]}'.
    """
    check_place(out, ".npy", ".npz")
    try:
        function = find_method(method)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    own = own_options(context.args, function)
    explain_to(out, function, model, data, target, limit, **options, **own)


def own_options(words: list[str], function: Any) -> dict[str, Any]:
    """``--name value`` pairs for a method's own parameters; values as JSON, or else as text."""
    known = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in GIVEN and not name.startswith("return_")
    }
    result: dict[str, Any] = {}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        name, joined, value = word.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if not word.startswith("--") or name not in known:
            raise click.UsageError(unknown(word, function.__name__, list(known)))
        if not joined:
            if not remaining:
                raise click.UsageError(f"option {word} needs a value")
            value = remaining.pop(0)
        result[name] = parsed(value)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in result:
            raise click.UsageError(f"{function.__name__} needs --{name}")
    return result


def unknown(word: str, method: str, known: list[str]) -> str:
    """What to say of an option that a method does not have."""
    own = [parameter.name or "" for parameter in command.params]
    spelt = word.partition("=")[0].lstrip("-").replace("-", "_")
    meant = get_close_matches(spelt, [*known, *own], 1) if word.startswith("-") else []
    hint = f" (did you mean '--{meant[0].replace('_', '-')}'?)" if meant else ""
    return f"{method} has no option {word!r}{hint}; it takes {', '.join(known)}"


def parsed(value: str) -> Any:
    if value.lower().endswith((".npy", ".npz")):
        return read_array(value)
    if value.lower() in WORDS:
        return WORDS[value.lower()]
    try:
        plain = "," in value and "[" not in value and "{" not in value
        found = json.loads(f"[{value}]" if plain else value)
    except (json.JSONDecodeError, RecursionError):
        return value
    return tuple(found) if isinstance(found, list) else found
