"""HTML pages in one file, without scripts or links to the net: on phones, in the dark.

Text is escaped wherever it is put in: only what `tag` and `join` return is markup.
"""

import base64
import html
import struct
from collections.abc import Mapping, Sequence
from typing import Any

_PNG = b"\x89PNG\r\n\x1a\n"
_LEAST_HEIGHT = 112  # on the page, in CSS pixels: smaller pictures are enlarged
_VOID = {"meta", "img"}


class Html(str):
    """Markup. Any other string is text, and is escaped wherever it is put in."""

    __slots__ = ()


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """Returns an element; `class_` and `data_label` stand for `class`, `data-label`."""
    marks = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{marks}>")
    return Html(f"<{name}{marks}>{join(*children)}</{name}>")


def join(*children: Any) -> Html:
    """Returns the children one after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else html.escape(str(child))
            for child in children
        )
    )


def table_row(cells: Mapping[str, Any]) -> Html:
    """Returns a line of a table; on a narrow screen every cell shows its label."""
    shown = [
        tag("td", cell, data_label=label)
        if cell
        else tag("td", "-", class_="none", data_label=label)
        for label, cell in cells.items()
    ]
    return tag("tr", *shown)


def table_head(labels: Sequence[str]) -> Html:
    """Returns the first line of a table."""
    headers = [tag("th", label, scope="col") for label in labels]
    return tag("thead", tag("tr", *headers))


def bullets(items: Sequence[Any]) -> Html:
    """Returns a list with bullets."""
    return tag("ul", *[tag("li", item) for item in items])


def png(data: bytes, alt: str) -> Html | None:
    """Returns a picture that is part of the page; None if `data` is no PNG file."""
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    factor = max(1, round(_LEAST_HEIGHT / max(height, 1)))
    return tag(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(data).decode()}",
        alt=alt,
        width=width * factor,
        height=height * factor,
    )


def document(title: str, *body: Any) -> str:
    """Returns the page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(_STYLE)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *body), lang='en')}\n"


_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d2127; --soft: #5a6370;
  --line: #d5dae1; --panel: #f4f6f8; --ok: #116329; --bad: #b3261e; --bar: #2f6fb5;
  --reference: #8a939f; --tick: #1d2127; }
@media (prefers-color-scheme: dark) { :root { --back: #15181d; --text: #e6e9ee;
  --soft: #a3acb8; --line: #353c46; --panel: #1f242b; --ok: #6fd08c; --bad: #ff9087;
  --bar: #5b9be0; --reference: #79828e; --tick: #e6e9ee; } }
* { box-sizing: border-box; }
body { max-width: 72rem; margin: 0 auto; padding: 1rem; color: var(--text);
  background: var(--back); font: 1rem/1.5 system-ui, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.35rem; margin-top: 2.5rem;
  border-top: 1px solid var(--line); padding-top: 1.5rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h4 { margin: 1.2rem 0 .4rem; }
a { color: var(--bar); } code { font-size: .9em; }
.headline { padding: .6rem .9rem; border-left: .3rem solid; font-weight: 600;
  background: var(--panel); }
.hash { overflow-wrap: anywhere; } strong { white-space: nowrap; }
.ok { color: var(--ok); } .bad { color: var(--bad); }
.note { color: var(--soft); font-size: .9rem; max-width: 48rem; }
table { width: 100%; border-collapse: collapse; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; }
tbody th { background: var(--panel); padding: .5rem .7rem; }
.track { position: relative; height: 1rem; min-width: 8rem; margin-top: .25rem;
  background: var(--panel); }
.bar { height: 100%; background: var(--bar); }
.reference .bar { background: var(--reference); }
.tick { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  margin-left: -1px; background: var(--tick); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 100%; } figcaption { color: var(--soft); }
img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; }
pre { overflow-x: auto; padding: .6rem .9rem; background: var(--panel); }
details { margin: .4rem 0; } summary { cursor: pointer; }
@media (max-width: 48rem) { thead { display: none; } table, tbody, tr, th, td {
  display: block; width: 100%; } tbody tr { padding: .4rem 0;
  border-bottom: 1px solid var(--line); } td { display: flex; border: 0;
  padding: .1rem .2rem; } td::before { content: attr(data-label); flex: 0 0 9.5rem;
  color: var(--soft); } td.none { display: none; }
  td > .track { flex: 1; min-width: 0; }
  td > code { overflow-wrap: anywhere; min-width: 0; } }
@media print { details { display: block; } }
"""
