"""SVG for a page: matplotlib's, without what no page needs, in colours that the page can change."""

from __future__ import annotations

import re
from html import escape

from analysis.figures.style import COLOURS, INK, PAPER

# A point of the figure in the page's own units: type of 8 points becomes 0.96 of the text around it.
_EM_PER_POINT = 0.12

_COLOURS = {INK: "currentColor"} | {
    colour: f"var(--figure-{name}, {colour})" for name, colour in {"paper": PAPER, **COLOURS}.items()
}
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ROOT = re.compile(r"\A.*?<svg [^>]*>", re.DOTALL)
_UNUSED = re.compile(
    r" *<metadata>.*?</metadata>\n| *<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>\n", re.DOTALL
)
_TAG = re.compile(r"<[^>]*>")
_REFERENCE = re.compile(r"#([^\")]+)[\")]")
_ID = re.compile(r' id="([^"]*)"')
_NO_TURN = re.compile(r' transform="rotate\(-0 [^)]*\)"')
_FAMILY = re.compile(r" font-family: [^;\"]*;?")
# How older versions of matplotlib write size and weight.
_SHORTHAND = re.compile(r"font: (?:(\w+) )?([\d.]+px) [^;\"]*")
# A hundredth of a point is nothing that could be seen.
_DIGITS = re.compile(r"(\d\.\d\d)\d+")
_COLOUR = re.compile("|".join(map(re.escape, _COLOURS)))


def for_page(svg: str, *, alt: str) -> str:
    """Return an SVG file of matplotlib's as an element for a page of HTML; `Figure.svg` says what it is like.

    Parameters
    ----------
    svg : str
        The file.
    alt : str
        What the figure shows, in words.
    """
    found = _SIZE.search(svg)
    if found is None:
        raise ValueError("expected an SVG file with a viewBox")
    width, height = (float(size) for size in found.groups())
    root = (
        f'<svg class="figure" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt)}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'style="width:{width * _EM_PER_POINT:.4g}em;max-width:100%;height:auto;stroke-linejoin:round" '
        'font-family="sans-serif">'
    )
    inside = _UNUSED.sub("", _ROOT.sub("", svg, count=1))
    referred = {name for tag in _TAG.findall(inside) for name in _REFERENCE.findall(tag)}
    # What stands between tags is somebody's text, and stays as it is.
    return root + _TAG.sub(lambda tag: _plain(tag[0], referred), inside)


def _plain(tag: str, referred: set[str]) -> str:
    tag = _ID.sub(lambda one: one[0] if one[1] in referred else "", tag)
    tag = _FAMILY.sub("", _NO_TURN.sub("", tag))
    tag = _SHORTHAND.sub(lambda one: f"font-weight: {one[1] or 'normal'}; font-size: {one[2]}", tag)
    return _COLOUR.sub(lambda one: _COLOURS[one[0]], _DIGITS.sub(r"\1", tag))
