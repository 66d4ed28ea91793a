"""Numbers of things, in words."""


def counted(number: int, thing: str) -> str:
    """So many things: "1 map", "2 maps"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
