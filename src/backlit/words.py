"""Numbers of things, in words."""


def counted(number: int, thing: str) -> str:
    """So many things: "1 map", "2 maps"."""
    return f"{number} {plural(number, thing)}"


def plural(number: int, thing: str) -> str:
    """What so many of a thing are called."""
    return thing if number == 1 else f"{thing}s"
