"""Small pieces of SVG: every text is escaped here, every colour is a class of the page's style sheet."""

from __future__ import annotations

from html import escape

__all__ = ["WIDTH", "figure", "line", "rect", "shortened", "text"]

WIDTH = 480  # units; a figure is as wide as its column, so that 12 units are about 12 pixels


def figure(name: str, title: str, description: str, height: float, parts: list[str]) -> str:
    """A whole picture. ``name`` is unique in the page; title and description are read out."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {_number(height)}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(description)}</desc>{"".join(parts)}</svg>'
    )


def rect(x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> str:
    """A bar; ``tip`` is shown when the pointer rests on it."""
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    sides = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
    return f'<rect class="{kind}" {sides} rx="1.5">{inside}</rect>' if inside else f'<rect class="{kind}" {sides} rx="1.5"/>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"/>'


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start", turned: float = 0) -> str:
    """A line of text, ``anchor`` start, middle or end, turned by so many degrees."""
    marks = f' class="{kind}"' if kind else ""
    marks += f' text-anchor="{anchor}"' if anchor != "start" else ""
    marks += f' transform="rotate({_number(turned)} {_number(x)} {_number(y)})"' if turned else ""
    return f'<text x="{_number(x)}" y="{_number(y)}"{marks}>{escape(content)}</text>'


def shortened(name: str, most: int) -> str:
    """A name that fits: its middle is left out, for names of one family often differ at the end."""
    if len(name) <= most:
        return name
    head = (most - 1) * 3 // 5
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
