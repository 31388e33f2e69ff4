"""What our pages are made of. Everything from outside is escaped here."""

from collections.abc import Iterable, Mapping
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 96rem; padding: 0 1rem;
       color: #ddd; background: #181818 }
section { display: flex; gap: 2rem; border-top: 1px solid #333; padding-top: .8rem }
table { border-collapse: collapse; margin: .3rem 0 1rem } td, th { padding: .05rem .8rem .05rem 0;
       text-align: right; font-size: 13px } td:first-child, th:first-child { text-align: left }
th { color: #999; font-weight: normal } h1, h2, h3 { font-weight: 500 } h3 { margin: .2rem 0 }
svg { display: block }
"""
"""For pages of figures."""
PALETTE = ("#6cf", "#fc6", "#f78", "#c9f", "#8d8", "#fff")
"""CSS colours that can be told apart on it."""


def page(title: str, body: str, style: str = STYLE) -> str:
    """A page that carries all it shows; the body is HTML."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style><h1>{escape(title)}</h1>{body}</html>\n"
    )


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A row of names, where there are any, and the rows below it."""
    header = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table>{'<tr>' + header + '</tr>' if header else ''}{body}</table>"


def cell(value: object) -> str:
    """Three digits of a float, a dash for None."""
    if value is None:
        return "&ndash;"
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))


def legend(colours: Mapping[str, str]) -> str:
    """Which CSS colour stands for which name."""
    return " &nbsp; ".join(
        f'<span style="color:{escape(colour)}">&#9632;</span> {escape(name)}'
        for name, colour in colours.items()
    )
