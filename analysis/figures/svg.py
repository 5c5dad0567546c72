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
_COLOUR = re.compile("|".join(map(re.escape, _COLOURS)))
_PREAMBLE = re.compile(r"\A.*?(?=<svg )", re.DOTALL)
_METADATA = re.compile(r" *<metadata>.*?</metadata>\n", re.DOTALL)
_ROOT = re.compile(r"<svg [^>]*>")
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r"#([^\")]+)[\")]")
_FAMILY = re.compile(r" font-family: [^;\"]*;?")
_SHORTHAND = re.compile(r"font: ([\w. ]*?)([\d.]+px) [^;\"]*")
_STYLE_SHEET = re.compile(r" *<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>\n", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
# A hundredth of a point is nothing that could be seen.
_DIGITS = re.compile(r"(\d\.\d\d)\d+")
_NO_TURN = re.compile(r' transform="rotate\(-0 [^)]*\)"')


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
    for pattern, replacement in (
        (_PREAMBLE, ""),
        (_METADATA, ""),
        (_STYLE_SHEET, ""),
        (_NO_TURN, ""),
        (_FAMILY, ""),
        (_SHORTHAND, r"font-size: \2"),
    ):
        svg = pattern.sub(replacement, svg, count=1 if pattern in (_PREAMBLE, _METADATA, _STYLE_SHEET) else 0)
    referred = set(_REFERENCE.findall(svg))
    svg = _ID.sub(lambda one: one[0] if one[1] in referred else "", svg)
    svg = _TAG.sub(lambda tag: _DIGITS.sub(r"\1", tag[0]), svg)
    svg = _COLOUR.sub(lambda one: _COLOURS[one[0]], svg)
    return _ROOT.sub(lambda _: root, svg, count=1)
