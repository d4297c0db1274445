"""The templates of an exported folder, and how text is put into them.

Whatever a template puts in is escaped, unless a filter returned `Markup`: in HTML by
Jinja, in Markdown by `markdown`. So names and words of users are text everywhere.
"""

import functools
import pathlib
from typing import Any

import jinja2
from markupsafe import Markup

from export.report import wording

_WORDING = (
    *("size", "difference", "decibel", "similarity", "time", "count", "limited"),
    *("speed", "tensor", "problem", "title", "times", "sentence", "unbroken"),
)


@functools.cache
def environment(language: str) -> jinja2.Environment:
    """Returns the templates of `"html"` or `"markdown"`."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=markdown if language == "markdown" else None,
    )
    templates.filters |= {name: getattr(wording, name) for name in _WORDING}
    return templates


def markdown(value: Any) -> Markup:
    """Returns text as one line of Markdown, none of which is markup."""
    if isinstance(value, (Markup, jinja2.Undefined)):
        return value
    line = " ".join(str(value).split())
    return Markup("".join(f"\\{c}" if c in "\\`*_[]<>#|&~" else c for c in line))
