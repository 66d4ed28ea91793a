"""Fonts for letters that the usual one lacks: Chinese, Japanese and Korean ones, say."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

# The last has a box for every letter, which matplotlib then draws without a warning for each.
OTHERS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Noto Emoji",
    "Last Resort High-Efficiency",
)


def font(words: str, weight: str = "normal") -> dict[str, Any]:
    """Family and weight for some words; with other families only where the usual one lacks letters.

    These are not bold: few of them can be, and matplotlib complains of those that cannot.
    """
    usual = get_font(findfont(FontProperties(weight=weight)))
    if all(usual.get_char_index(ord(letter)) for letter in words if not letter.isspace()):
        return {"weight": weight}
    return {"family": [*rcParams["font.family"], *installed()]}


@cache
def installed() -> tuple[str, ...]:
    """The other families that are there; matplotlib complains of those that are not."""
    names = set(fontManager.get_font_names())
    return tuple(name for name in OTHERS if name in names)
