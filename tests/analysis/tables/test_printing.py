"""Tables as Markdown, LaTeX and terminal output: no name breaks them, and no figure is lost."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from analysis import tables
from analysis.study.report import analyze
from analysis.tables import as_latex, as_markdown, as_terminal
from analysis.tables.table import Column, Table

if TYPE_CHECKING:
    from conftest import StudyFolder

NASTY = ("full", "q_proj[v]", "[/red]", "a|b & 5%", r"\macro{#1}", "$x^2$ ~ 'y'", "ação ł ß × ±", "*-- ,, <b>`")


def printed(report: Any, width: int = 120, *, details: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    for part in tables.terminal(report, details=details):
        console.print(part)
    return out.getvalue()


@pytest.fixture
def nasty(tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator) -> StudyFolder:
    scores = simulated(rng, dict.fromkeys(NASTY, 0.9), seeds=4, examples=120)
    return write_study(tmp_path / "s", scores, name="[bold]x[/] | y")


def test_the_same_folder_gives_the_same_documents(study: StudyFolder) -> None:
    first = analyze(study.root)
    study.change_manifest(lambda content: content["cells"].reverse())
    second = analyze(study.root)
    assert tables.markdown(first) == tables.markdown(second)
    assert tables.latex(first) == tables.latex(second)
    assert printed(first) == printed(second)


def test_markdown_tables_keep_their_columns_whatever_the_names(nasty: StudyFolder) -> None:
    text = tables.markdown(analyze(nasty.root))
    assert text.startswith(
        "# \\[bold\\]x\\[/\\] \\| y\n\nIs the gap real?\n\n- Undecided: q\\_proj\\[v\\] against full, "
    )
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(blocks) == len(tables.build(analyze(nasty.root)))
    for block in blocks:
        lines = block.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert r"q\_proj\[v\] against full" in text
    assert r"\[/red\] against full" in text


@pytest.mark.parametrize("width", [120, 80])
def test_the_terminal_prints_every_name_and_loses_no_figure(nasty: StudyFolder, width: int) -> None:
    text = printed(analyze(nasty.root), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "[bold]x[/] | y" in text
    for name in ("q_proj[v]", "[/red]", "$x^2$"):
        assert name in text


def test_a_page_of_ordinary_names_breaks_no_figure_at_120_columns(study: StudyFolder) -> None:
    report = analyze(study.root)
    text = printed(report)
    for table in tables.build(report):
        for column in table.columns:
            if column.numeric:
                assert [cell for cell in column.cells if cell not in text] == [], (table.title, column.header)


SPECIAL = re.compile(r"(?<!\\)[&%$#_^~]")


def test_latex_escapes_every_special_character_of_a_name(nasty: StudyFolder) -> None:
    text = tables.latex(analyze(nasty.root))
    body = text[text.index(r"\begin{document}") :]
    for line in body.splitlines():
        if line.endswith(r"\\") and "&" in line:
            cells = re.split(r"(?<!\\)&", line[:-2])
            assert len(cells) >= 2
            for cell in cells:
                # Accents are commands; what is left must hold no special character of its own.
                assert not SPECIAL.search(re.sub(r"\\[`'^~=.\"]\{", "{", cell)), cell
                assert depth(cell) == 0
    assert text.isascii()
    assert r"q\_proj{[}v{]}" in body
    assert r"\textbackslash{}macro\{\#1\}" in body
    assert r"\$x\textasciicircum{}2\$ \textasciitilde{} 'y'" in body
    assert r"a{\c{c}}{\~{a}}o \l{} \ss{} \ensuremath{\times} \ensuremath{\pm}" in body
    assert r"{*}-{}- ,{}, \ensuremath{<}b\ensuremath{>}\textasciigrave{}" in body


def depth(text: str) -> int:
    plain = re.sub(r"\\[{}]", "", text)
    return plain.count("{") - plain.count("}")


def test_latex_tables_are_closed_and_every_row_has_its_columns(nasty: StudyFolder) -> None:
    report = analyze(nasty.root)
    text = tables.latex(report)
    assert text.startswith(r"\documentclass")
    assert text.endswith("\\end{document}\n")
    blocks = re.findall(r"\\begin\{(tabular|longtable)\}(.*?)\\end\{\1\}", text, re.DOTALL)
    for table, (kind, block) in zip(tables.build(report), blocks, strict=True):
        rows = [line for line in block.splitlines() if line.endswith(r"\\") and line != r"\\"]
        assert len(rows) == len(table.rows) + 1
        assert kind == "longtable" or len(table.rows) <= 40
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(table.said_once().columns)}


def typeset(document: str, folder: Path) -> str:
    """What pdflatex says of a document."""
    (folder / "paper.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


@needs_pdflatex
def test_latex_compiles_as_it_stands(nasty: StudyFolder, tmp_path: Path) -> None:
    typeset(tables.latex(analyze(nasty.root)), tmp_path)


PAPER = r"""\documentclass[%s]{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp,array,booktabs,calc}
\begin{document}
%s
\end{document}
"""


@needs_pdflatex
@pytest.mark.parametrize(
    ("options", "width", "titles"),
    [
        # ACL's columns are among the narrowest.
        ("twocolumn", "219pt", ["Verdicts", "Accuracy by arm"]),
        ("11pt,twocolumn", r"\columnwidth", ["Verdicts", "Accuracy by arm"]),
        ("11pt", r"\linewidth", ["Verdicts", "Accuracy by arm", "Cost", "What would decide the rest"]),
    ],
)
def test_tables_fit_into_a_column_of_an_article(
    study: StudyFolder, tmp_path: Path, options: str, width: str, titles: list[str]
) -> None:
    document = tables.latex(analyze(study.root))
    tabulars = dict(
        re.findall(r"\\subsection\*\{([^}]*)\}\n(\\begin\{tabular\}.*?\\end\{tabular\})", document, flags=re.DOTALL)
    )
    set_up = rf"\begin{{minipage}}{{{width}}}\footnotesize\setlength{{\tabcolsep}}{{4pt}}"
    body = "\n\n".join(rf"\noindent{set_up}{tabulars[title]}\end{{minipage}}" for title in titles)
    assert "Overfull" not in typeset(PAPER % (options, body), tmp_path)


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("-2.06 pp [-3.10, -1.02]", r"\ensuremath{-}2.06 pp {[}\ensuremath{-}3.10, \ensuremath{-}1.02{]}"),
        ("lora-r4", "lora-r4"),
        ("a---b", "a-{}-{}-b"),
        ("don''t", "don'{}'t"),
        ("日", "(U+65E5)"),
        ("\x07x", "(U+0007)x"),
        ("í ñ Ş ő", r"{\'{\i}} {\~{n}} {\c{S}} {\H{o}}"),
        ("two\nlines", "two lines"),
        ("–", r"\textendash{}"),
    ],
)
def test_latex_text(text: str, latex: str) -> None:
    assert as_latex.escaped(text) == latex


def test_markdown_text_stays_in_its_cell() -> None:
    assert as_markdown.escaped("a|b\nc") == r"a\|b c"
    assert as_markdown.escaped("\\|") == r"\\\|"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("from https://example.org/nyu_mll", ["https://example.org/nyu_mll"]),
        ("https://example.org/a?b=1&c_d=2#e~f, and x_y", ["https://example.org/a?b=1&c_d=2#e~f"]),
        ("(see http://example.org/a_b).", ["http://example.org/a_b"]),
        ("https://example.org/LoRA_(method)", ["https://example.org/LoRA_(method)"]),
        (
            "https://example.org/a|b or https://example.org/*c*;",
            ["https://example.org/a%7Cb", "https://example.org/*c*"],
        ),
        ("q_proj <https://example.org/x>", ["https://example.org/x"]),
        ("ftp_x://example.org and https:// alone", []),
    ],
)
def test_an_address_stays_a_link_in_markdown(text: str, links: list[str]) -> None:
    shown = as_markdown.render(
        text,
        text,
        [Table(title=text, columns=(Column("a", [text]),), notes=(text,), footer=text)],
    )
    page = MarkdownIt("commonmark").enable("table").render(shown)
    shown_links = [html.unescape(link) for link in re.findall(r'href="([^"]*)"', page)]
    assert shown_links == links * 6
    # Beside the links the text is there, as it is.
    page_text = " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())
    assert page_text.count(text.split()[0]) >= 6


def test_what_is_for_checking_can_be_left_out_on_screen(study: StudyFolder) -> None:
    report = analyze(study.root)
    shown = "\n".join(str(part) for part in tables.terminal(report, details=False))
    titles = {table.title for table in tables.build(report) if table.detail}
    assert titles == {
        "Precision, recall and F1 by class",
        "Precision and recall by class, compared",
        "All tests",
        "Intervals and probabilities",
        "Which arm may be the best",
        "Where the uncertainty comes from",
        "Which gaps can be found",
        "Agreement of the seeds",
        "Provenance and caveats",
    }
    assert len(tables.terminal(report, details=False)) < len(tables.terminal(report))
    footer = tables.build(report)[0].footer
    assert shown.count(footer) == 1


SHARED = "Seeds × examples: 6 × 400; test: crossed t, pooled over 3 arms; speaks about: seeds and examples."


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_screen_has_the_verdicts_first_and_says_once_what_every_row_says(study: StudyFolder, width: int) -> None:
    text = printed(analyze(study.root), width, details=False)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    assert len(lines) < 110
    title = lines.index("Verdicts")
    assert SHARED in " ".join(line.strip() for line in lines[title : title + 14])
    headers = lines[title + 1] + lines[title + 2]
    assert "Speaks" not in headers


def test_documents_say_once_what_every_row_says(study: StudyFolder) -> None:
    report = analyze(study.root)
    markdown, latex = tables.markdown(report), tables.latex(report)
    assert f"- {SHARED}\n" in markdown
    assert f"{as_latex.escaped(SHARED)}\n" in latex
    # The rows of this table are about different populations.
    assert "| Test                          | Speaks about       |" in markdown
    study.end("lora-r8", 2, "diverged", "x")
    first = re.search(r"\| Comparison .*", tables.markdown(analyze(study.root)))
    assert first is not None
    # A comparison without a verdict has no test.
    assert re.search(r"\| Test +\| Speaks about +\|$", first[0])


def test_what_rows_do_not_share_stays_a_column() -> None:
    table = Table(
        title="t",
        columns=(
            Column("a", ["x", "y"]),
            Column("Seeds × examples", ["1 × 2", "1 × 3"]),
            Column("Test", ["none", "none"]),
            Column("Speaks about", ["seeds", "examples"]),
        ),
        notes=("n",),
        footer="f",
    )
    once = table.said_once()
    assert once.headers == ("a", "Seeds × examples", "Speaks about")
    assert once.notes == ("Test: none.", "n")
    assert (once.title, once.footer, once.rows) == ("t", "f", (("x", "1 × 2", "seeds"), ("y", "1 × 3", "examples")))
    assert once.said_once() is once


def test_a_table_longer_than_a_page_may_break() -> None:
    def document(rows: int) -> str:
        table = Table(title="t", columns=(Column("a", ["x"] * rows),), notes=(), footer="")
        return as_latex.render("title", "", [table])

    assert r"\begin{longtable}" not in document(40)
    assert r"\begin{tabular}" not in document(41)
    assert r"\endhead" in document(41)


def test_a_table_whose_rows_take_several_lines_may_break() -> None:
    columns = (Column("a", ["some words " * 12] * 30), Column("b", ["and others " * 12] * 30))
    document = as_latex.render("title", "", [Table(title="t", columns=columns, notes=(), footer="")])
    assert r"\begin{longtable}" in document


LONG = "distilbert_base_uncased_with_frozen_embeddings_and_layers_{:02d}"


@needs_pdflatex
def test_forty_arms_with_names_of_sixty_letters_fit_on_their_pages(
    tmp_path: Path, write_study: Any, simulated: Any, rng: np.random.Generator
) -> None:
    arms = {LONG.format(number): 0.7 + 0.005 * number for number in range(40)}
    root = write_study(tmp_path / "s", simulated(rng, arms, seeds=3, examples=60)).root
    document = tables.latex(analyze(root, resamples=99))
    assert r"distilbert\_\allowbreak{}base\_" in document
    assert "Overfull" not in typeset(document, tmp_path)


@needs_pdflatex
def test_what_does_not_fit_into_a_column_says_so_and_fits_over_two(study: StudyFolder, tmp_path: Path) -> None:
    document = tables.latex(analyze(study.root))
    wide = r"% Needs the width of a page\.\n\\subsection\*\{([^}]*)\}\n(\\begin\{tabular\}.*?\\end\{tabular\})"
    found = dict(re.findall(wide, document, flags=re.DOTALL))
    assert "Verdicts" not in found
    assert "All tests" in found
    assert len(found) > 3
    size = r"\footnotesize\setlength{\tabcolsep}{4pt}"
    body = "".join(rf"\begin{{table*}}{size}{tabular}\end{{table*}}\clearpage " for tabular in found.values())
    assert "Overfull" not in typeset(PAPER % ("twocolumn", body), tmp_path)


def test_a_study_that_never_ran_prints_dashes_and_no_nan(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    report = analyze(study.root)
    for text in (tables.markdown(report), tables.latex(report), printed(report)):
        assert not re.search(r"\bnan\b", text)
        assert "no verdict" in text


def test_the_terminal_breaks_headers_before_figures() -> None:
    table = Table(
        title="t",
        columns=(
            Column("A long header of a column", ["[-1.00, +1.00]"], numeric=True),
            Column("b", ["some words that may break"]),
        ),
        notes=(),
        footer="",
    )
    out = io.StringIO()
    console = Console(file=out, width=30, color_system=None)
    for part in as_terminal.render("x", "", [table]):
        console.print(part)
    assert "[-1.00, +1.00]" in out.getvalue()
    assert max(len(line) for line in out.getvalue().splitlines()) <= 30


def test_the_terminal_uses_every_column_before_it_breaks_a_cell() -> None:
    columns = (Column("a", ["two words"]), Column("b", ["and three more"]))
    out = io.StringIO()
    console = Console(file=out, width=len("two words  and three more"), color_system=None)
    for part in as_terminal.render("x", "", [Table(title="t", columns=columns, notes=(), footer="")]):
        console.print(part)
    assert "two words  and three more\n" in out.getvalue()
