"""The demo's page: pictures, the table, and what the numbers say in words."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from backlit.files import replacing
from backlit.version import VERSION


def write_page(path: Path, **content: Any) -> None:
    """Fill the page's template and write it, aside first."""
    from jinja2 import Environment, StrictUndefined

    template = (files(__package__) / "index.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(template).render(version=VERSION, **content)
    with replacing(path) as aside:
        aside.write_text(page, encoding="utf-8")
