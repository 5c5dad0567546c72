"""LaTeX output: tables as a document that pdflatex compiles as it stands, with booktabs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from analysis.tables.table import Table

# What fits side by side on a landscape page at this size; wider tables get columns that wrap.
_CHARACTERS = 140
_PAGE_CM = 25.0
_NARROWEST = 9

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
_ROWS_ON_A_PAGE = 40

_PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage[landscape,margin=2cm]{geometry}
\usepackage{array}
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{graphicx}
\setlength{\tabcolsep}{4pt}
\setlength{\parindent}{0pt}
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


def render(title: str, question: str, tables: Sequence[Table], *, picture: str = "") -> str:
    """Return a LaTeX document with all tables.

    Parameters
    ----------
    title, question : str
        The heading and the line under it.
    tables : sequence of Table
        In the order of the document.
    picture : str
        The name of a file beside the document, shown below the tables; empty for none.
    """
    head = f"\\section*{{{escaped(title)}}}\n{escaped(question)}\n"
    size = "width=\\linewidth,height=.9\\textheight,keepaspectratio"
    shown = [f"\\par\\bigskip\\includegraphics[{size}]{{{picture}}}\n"] if picture else []
    return _PREAMBLE + "\n".join([head, *(_table(table) for table in tables), *shown]) + "\\end{document}\n"


def _table(table: Table) -> str:
    headers = " & ".join(f"\\textbf{{{escaped(header)}}}" for header in table.headers)
    body = "".join(f"{' & '.join(escaped(cell) for cell in row)} \\\\\n" for row in table.rows)
    lines = [*table.notes, *([table.footer] if table.footer else [])]
    notes = "".join(f"\\par\\smallskip {escaped(line)}\n" for line in lines)
    alignment = f"{{@{{}}{_alignment(table)}@{{}}}}"
    if len(table.rows) > _ROWS_ON_A_PAGE:
        grid = (
            f"\\begin{{longtable}}[l]{alignment}\n\\toprule\n{headers} \\\\\n\\midrule\n\\endhead\n"
            f"\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n"
        )
    else:
        grid = (
            f"\\begin{{tabular}}{alignment}\n\\toprule\n{headers} \\\\\n\\midrule\n"
            f"{body}\\bottomrule\n\\end{{tabular}}\n"
        )
    return f"\\subsection*{{{escaped(table.title)}}}\n{grid}{notes}"


def _alignment(table: Table) -> str:
    """Return how the columns are aligned and how wide they are, in the words of LaTeX."""
    widths = [max(map(len, (column.header, *column.cells))) for column in table.columns]
    limit = max(widths)
    # The widest columns give way first, each down to what keeps a word in one piece.
    while limit > _NARROWEST and sum(min(width, limit) for width in widths) > _CHARACTERS:
        limit -= 1
    wrapped = f"p{{{limit * _PAGE_CM / (_CHARACTERS * 1.15):.2f}cm}}"
    return "".join(
        ("r" if column.numeric else "l")
        if width <= limit
        else f">{{\\ragged{'left' if column.numeric else 'right'}\\arraybackslash}}{wrapped}"
        for column, width in zip(table.columns, widths, strict=True)
    )
