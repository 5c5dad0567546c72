"""LaTeX output: tables as a document that pdflatex compiles as it stands, with booktabs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from analysis.tables.table import Column, Table
from analysis.tables.widths import LONG_NAME, fitted_widths

# What fits side by side on a landscape page at this size; wider tables get columns that wrap.
_CHARACTERS = 140
_NARROWEST = 9
# The same in a column of a two-column article (7.7 cm), and over the width of its page; two for each gap of the table.
_IN_ARTICLES = (50, 76)
_CHARACTER_EM = 0.52

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    # Right after the end of a row these would be read as its arguments.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "−": r"\ensuremath{-}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "α": r"\ensuremath{\alpha}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0304": r"\=",
    "\u0306": r"\u",
    "\u0307": r"\.",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u030c": r"\v",
    "\u0327": r"\c",
    "\u0328": r"\k",
}

# A hyphen before a figure is a sign; two hyphens, quotes or commas in a row would melt into one character.
_MINUS = re.compile(r"(?<![^\s\[(])-(?=\d)")
_LIGATURES = re.compile(r"-(?=-)|'(?=')|,(?=,)")

# A tabular is laid out in one run of pdflatex and may be moved into a float; a longtable takes two, and breaks.
_LINES_ON_A_PAGE = 40

_PREAMBLE = r"""\documentclass[a4paper]{article}
% A tabular of this file may be moved into an article, of one or two columns: it takes the packages array, booktabs and
% calc, \footnotesize and \setlength{\tabcolsep}{4pt}. A comment says which need more than a column: of an article of
% two columns, one that needs the width of a page goes into a table*, and one that needs a page in landscape into a
% sidewaystable* of the package rotating. A longtable goes on a page of one column only, such as one of an appendix.
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage[landscape,margin=2cm]{geometry}
\usepackage{array}
\usepackage{booktabs}
\usepackage{calc}
\usepackage{longtable}
\usepackage{graphicx}
\setlength{\tabcolsep}{4pt}
\setlength{\parindent}{0pt}
\setlength{\emergencystretch}{3em}
\begin{document}
\footnotesize
"""


def escaped(text: str) -> str:
    r"""Return a text that pdflatex prints as it is, in one line.

    Letters with accents are kept; a character that its standard fonts lack is printed by its number.

    Examples
    --------
    >>> print(escaped("q_proj & 5% ± 1"))
    q\_proj \& 5\% \ensuremath{\pm} 1
    """
    line = _MINUS.sub("−", " ".join(unicodedata.normalize("NFC", text).split()))
    plain = "".join(_character(character) for character in line)
    return _LIGATURES.sub(r"\g<0>{}", plain)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isascii():
        return character if character.isprintable() else f"(U+{ord(character):04X})"
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        dotless = {"i": r"\i", "j": r"\j"}.get(base, base) if marks[0] not in "\u0327\u0328" else base
        return f"{{{_ACCENTS[marks[0]]}{{{dotless}}}}}"
    return f"(U+{ord(character):04X})"


def render(
    title: str, question: str, tables: Sequence[Table], *, sentences: Sequence[str] = (), pictures: Sequence[str] = ()
) -> str:
    """Return a LaTeX document with all tables.

    Parameters
    ----------
    title, question : str
        The heading and the line under it.
    tables : sequence of Table
        In the order of the document.
    sentences : sequence of str
        What stands before the tables.
    pictures : sequence of str
        The names of files beside the document, shown below the tables.
    """
    head = f"\\section*{{{_breakable(title)}}}\n{_breakable(question)}\n{_listed(sentences)}"
    size = "width=\\linewidth,height=.9\\textheight,keepaspectratio"
    shown = [f"\\par\\bigskip\\includegraphics[{size}]{{{picture}}}\n" for picture in pictures]
    return _PREAMBLE + "\n".join([head, *(_table(table.said_once()) for table in tables), *shown]) + "\\end{document}\n"


def _listed(sentences: Sequence[str]) -> str:
    items = "".join(f"\\item {_breakable(sentence)}\n" for sentence in sentences)
    return f"\\begin{{itemize}}\n{items}\\end{{itemize}}\n" if items else ""


def _breakable(text: str) -> str:
    r"""Return a text whose long names may break behind an underscore.

    Examples
    --------
    >>> print(_breakable("q_proj of bert_with_frozen_layers"))
    q\_proj of bert\_\allowbreak{}with\_\allowbreak{}frozen\_\allowbreak{}layers
    """
    words = ((word, escaped(word)) for word in text.split())
    return " ".join(
        latex.replace(r"\_", r"\_\allowbreak{}") if len(word) >= LONG_NAME else latex for word, latex in words
    )


def _table(table: Table) -> str:
    headers = " & ".join(f"\\textbf{{{_breakable(header)}}}" for header in table.headers)
    body = "".join(f"{' & '.join(_breakable(cell) for cell in row)} \\\\\n" for row in table.rows)
    lines = [*table.notes, *([table.footer] if table.footer else [])]
    notes = "".join(f"\\par\\smallskip {_breakable(line)}\n" for line in lines)
    alignment = f"{{@{{}}{_alignment(table)}@{{}}}}"
    if _n_lines(table) > _LINES_ON_A_PAGE:
        grid = (
            f"\\begin{{longtable}}[l]{alignment}\n\\toprule\n{headers} \\\\\n\\midrule\n\\endhead\n"
            f"\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n"
        )
    else:
        grid = (
            f"\\begin{{tabular}}{alignment}\n\\toprule\n{headers} \\\\\n\\midrule\n"
            f"{body}\\bottomrule\n\\end{{tabular}}\n"
        )
    return f"{_room(table)}\\subsection*{{{escaped(table.title)}}}\n{grid}{notes}"


def _room(table: Table) -> str:
    """Say of a table that does not fit into a column of an article what it needs."""
    if _fitted(table, _IN_ARTICLES[0]) is not None:
        return ""
    return f"% Needs {'a page in landscape' if _shares(table) is None else 'the width of a page'}.\n"


def _alignment(table: Table) -> str:
    """Return how the columns are aligned and how wide they are, in the words of LaTeX.

    On a landscape page a column is as wide as its cells need. Where an article has less room, all share what there is.
    """
    gaps = 2 * (len(table.columns) - 1)
    whole = _whole(table)
    if sum(whole) <= _IN_ARTICLES[0] - gaps:
        return "".join(map(_plain, table.columns))
    on_page = _least_broken(whole)
    shares = _shares(table)
    if shares is None:
        return "".join(
            _plain(column) if full <= width else _wrapped(column, _em(width))
            for column, width, full in zip(table.columns, on_page, whole, strict=True)
        )
    return "".join(
        _wrapped(column, f"\\minof{{{_em(width)}}}{{{_of_line(share / sum(shares), gaps)}}}")
        for column, width, share in zip(table.columns, on_page, shares, strict=True)
    )


def _shares(table: Table) -> list[int] | None:
    """Return how the columns share a line of an article, in characters; None where it breaks words."""
    return next((widths for room in _IN_ARTICLES if (widths := _fitted(table, room)) is not None), None)


def _fitted(table: Table, room: int) -> list[int] | None:
    gaps = 2 * (len(table.columns) - 1)
    return fitted_widths(table, room - gaps, of_header=_bold, in_names=True)


def _whole(table: Table) -> list[int]:
    return [max(_bold(column.header), max(map(len, column.cells), default=0)) for column in table.columns]


def _n_lines(table: Table) -> int:
    """Return about how many lines the rows take on a landscape page."""
    widths = _least_broken(_whole(table))
    shares = _shares(table) or widths
    widths = [min(width, _CHARACTERS * share // sum(shares)) for width, share in zip(widths, shares, strict=True)]
    return sum(max(-(-len(cell) // width) for cell, width in zip(row, widths, strict=True)) for row in table.rows)


def _least_broken(widths: Sequence[int]) -> list[int]:
    """Return widths that fit on a page: the widest give way first, each down to what keeps a word in one piece."""
    limit = max(widths)
    while limit > _NARROWEST and sum(min(width, limit) for width in widths) > _CHARACTERS:
        limit -= 1
    return [min(width, limit) for width in widths]


def _plain(column: Column) -> str:
    return "r" if column.numeric else "l"


def _wrapped(column: Column, width: str) -> str:
    return f">{{\\ragged{'left' if column.numeric else 'right'}\\arraybackslash}}p{{{width}}}"


def _bold(text: str) -> int:
    return len(text) + text[:1].isupper() + sum(character in "MWmw" for character in text)


def _em(characters: int) -> str:
    return f"{characters * _CHARACTER_EM:.1f}em"


def _of_line(share: float, gaps: int) -> str:
    """Return a share of the line without its gaps."""
    return f"{share:.3f}\\linewidth-{share * gaps:.2f}\\tabcolsep"
