"""Rendering: the templates of pages, and what fills them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from analysis.tables.table import Table

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from analysis.figures import Figure


def content(name: str) -> str:
    """Return a file of ``templates/``."""
    return (resources.files("analysis.html") / "templates" / name).read_text("utf-8")


def template(name: str) -> Template:
    """Return a template, which shows every text as text, whatever it holds."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(content),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["as_table"] = _numbers_of
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _numbers_of(figure: Figure) -> Table:
    return Table(title=figure.title, columns=figure.columns, notes=(), footer="")
