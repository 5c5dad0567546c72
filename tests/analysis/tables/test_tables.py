from __future__ import annotations

import ast
import html
import io
import math
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
from analysis.tables import as_latex, as_markdown, as_terminal, digits
from analysis.tables.table import BASIS, Column, Table

if TYPE_CHECKING:
    from conftest import StudyFolder

NASTY = ("full", "q_proj[v]", "[/red]", "a|b & 5%", r"\macro{#1}", "$x^2$ ~ 'y'", "ação ł ß × ±", "*-- ,, <b>`")


def printed(report: Any, width: int = 120, *, details: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    for part in tables.terminal(report, details=details):
        console.print(part)
    return out.getvalue()


def titled(report: Any, title: str) -> Table:
    (table,) = (table for table in tables.build(report) if table.title == title)
    return table


@pytest.fixture
def nasty(tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator) -> StudyFolder:
    scores = simulated(rng, dict.fromkeys(NASTY, 0.9), seeds=4, examples=120)
    return write_study(tmp_path / "s", scores, name="[bold]x[/] | y")


def test_the_verdict_table_comes_first_and_reads_as_an_answer(study: StudyFolder) -> None:
    first = tables.build(analyze(study.root))[0]
    assert first.title == "Verdicts"
    assert first.headers == ("Comparison", "Gap", "95% interval", "Verdict", *BASIS)
    rows = {row[0]: row for row in first.rows}
    worse = rows["lora-r2 against full"]
    assert re.fullmatch(r"-1\d\.\d pp", worse[1])
    assert re.fullmatch(r"\[-\d\d\.\d, -\d\d\.\d\]", worse[2])
    assert worse[3] == "worse; not equivalent at 1 pp"
    assert worse[4:] == ("6 × 400", "crossed t, paired", "seeds and examples")
    assert rows["lora-r8 against full"][3] == "undecided"
    assert any("May still be the best arm: full, lora-r8" in note for note in first.notes)
    assert any("still allow a collapse rate of up to 39%" in note for note in first.notes)


def test_every_table_of_results_names_n_test_and_population_in_every_row(study: StudyFolder) -> None:
    study.change_manifest(
        lambda content: content.update(selection={"rule": "best", "metric": "accuracy", "on": "test"})
    )
    study.change_manifest(lambda content: [arm.update(selection=None) for arm in content["arms"].values()])
    claim = {"source": "x", "model": "embedded/tiny", "n": 400, "accuracy": {"full": "0.9", "lora-r2": "0.8"}}
    study.change_manifest(lambda content: content.update(claims=[claim]))
    built = tables.build(analyze(study.root))
    assert [table.title for table in built] == [
        "Verdicts",
        "Accuracy by arm",
        "What would decide the rest",
        "Cost",
        "Published claims",
        "Precision, recall and F1 by class",
        "Precision and recall by class, compared",
        "All tests",
        "Intervals and probabilities",
        "Where the uncertainty comes from",
        "Agreement of the seeds",
        "Provenance and caveats",
    ]
    for table in built[:-1]:
        assert table.headers[-3:] == BASIS
        assert table.rows
        for row in table.rows:
            assert re.fullmatch(r"\d+ × \d+", row[-3]), row
            assert row[-2]
            assert row[-1] in ("seeds and examples", "seeds", "examples", "these trials")
        assert "Caveats: selection on test." in table.footer


def test_what_would_decide_names_seeds_range_examples_and_time(study: StudyFolder) -> None:
    report = analyze(study.root)
    table = titled(report, "What would decide the rest")
    row = next(row for row in table.rows if row[1] == "1 pp, the margin")
    assert row[0] == "lora-r8 against full"
    assert re.fullmatch(r"(over )?\d+( \((over )?\d+ to (over )?\d+\))?", row[2])
    assert re.fullmatch(r"about [\d,]+|never enough", row[3])
    settling = report.comparisons[1].settling_margin
    assert settling is not None
    assert settling.seeds_needed is not None
    # A trial with seed s took 10 + s seconds, so a pair of runs takes 25 on average; six seeds are there.
    assert row[2].startswith(f"{settling.seeds_needed}")
    assert row[4] == digits.time_taken((settling.seeds_needed - 6) * 25.0)


def test_a_refused_comparison_says_why_in_its_table(study: StudyFolder) -> None:
    study.end("lora-r8", 2, "diverged", "x")
    first = tables.build(analyze(study.root))[0]
    row = next(row for row in first.rows if row[0] == "lora-r8 against full")
    assert row[1:4] == ("–", "–", "no verdict")
    assert any(note == "lora-r8 against full: diverged: lora-r8 seed 2." for note in first.notes)
    assert any("failed_trials: drop_seed" in note for note in first.notes)
    assert "Caveats: 1 diverged." in first.footer


def test_a_dropped_seed_stands_under_every_table(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["analysis"].update(failed_trials="drop_seed"))
    study.end("lora-r8", 2, "diverged", "x")
    built = tables.build(analyze(study.root))
    assert all("seed 2 left out" in table.footer for table in built[:-1])
    assert all(row[-3] == "5 × 400" for row in built[0].rows)


def test_cost_stands_beside_quality(study: StudyFolder) -> None:
    for seed in range(6):
        study.change_record("lora-r2", seed, lambda c, s=seed: c["seconds"].update(training=0.65 * (10 + s)))
    cost = next(table for table in tables.build(analyze(study.root)) if table.title == "Cost")
    rows = {row[0]: dict(zip(cost.headers, row, strict=True)) for row in cost.rows}
    assert rows["full"]["Time ratio"] == "1"
    assert rows["full"]["Accuracy against full"] == "baseline"
    assert rows["lora-r2"]["Time ratio"] == "0.65 [0.65, 0.65]"
    assert rows["lora-r2"]["Share"] == "0.80%"
    assert rows["lora-r2"]["Peak memory"] == "286 MiB"
    assert rows["lora-r2"]["Accuracy against full"].endswith("worse; not equivalent at 1 pp")
    assert rows["lora-r2"]["Speaks about"] == "seeds"


def test_times_that_cannot_be_compared_say_so(study: StudyFolder) -> None:
    study.change_record("full", 0, lambda content: content["seconds"].update(timing="three at a time"))
    cost = next(table for table in tables.build(analyze(study.root)) if table.title == "Cost")
    assert [row[2] for row in cost.rows] == ["1", "–", "–"]
    assert any("shared their device" in note for note in cost.notes)
    assert "Timing: three at a time." in cost.notes
    assert "Training time and peak memory: of solo trials, which had their device to themselves." in cost.notes
    assert "Solo trials: 5 of 6 in full." in cost.notes


ALL = [(arm, seed) for arm in ("full", "lora-r2", "lora-r8") for seed in range(6)]


def packed(study: StudyFolder, cells: list[tuple[str, int]] = ALL) -> StudyFolder:
    for arm, seed in cells:
        study.pack(arm, seed, 4 if arm == "full" else 12)
    return study


def cells_of(table: Table, *columns: str) -> dict[str, tuple[str, ...]]:
    return {row[0]: tuple(row[table.headers.index(column)] for column in columns) for row in table.rows}


def test_the_cost_of_arms_trained_in_packs_says_that_it_has_no_times_and_how_to_get_them(study: StudyFolder) -> None:
    cost = titled(analyze(packed(study).root), "Cost")
    assert set(cells_of(cost, "Training time", "Peak memory").values()) == {("no solo trial", "no solo trial")}
    assert cells_of(cost, "Time ratio", "Test", "Speaks about") == {
        "full": ("1", "none", "these trials"),
        "lora-r2": ("–", "none", "these trials"),
        "lora-r8": ("–", "none", "these trials"),
    }
    assert cost.notes[1:] == (
        "Training time and peak memory: of solo trials, which had their device to themselves; trials in packs of 4 to "
        "12 have no figures of their own. To measure them: harness run STUDY engine=trainer seeds=3 "
        "name=hand_made-solo.",
        "Time of lora-r2, lora-r8 against full: 12 of 12 trials were trained in packs of 4 to 12 and have no time of "
        "their own.",
    )


def test_times_of_some_solo_trials_say_how_many_they_are(study: StudyFolder) -> None:
    some = [("lora-r2", seed) for seed in range(2, 6)] + [("lora-r8", seed) for seed in range(6)]
    report = analyze(packed(study, some).root)
    cost = titled(report, "Cost")
    assert cells_of(cost, "Training time", "Peak memory", "Seeds × examples") == {
        "full": ("12.5 s (10.0 to 15.0)", "286 MiB", "6 × 400"),
        "lora-r2": ("10.5 s (10.0 to 11.0)", "286 MiB", "6 × 400"),
        "lora-r8": ("no solo trial", "no solo trial", "6 × 400"),
    }
    assert "Solo trials: 2 of 6 in lora-r2." in cost.notes
    assert "Peak memory: resident set." in cost.notes
    assert not any("share of one" in note or "of a pack" in note for note in cost.notes)
    assert any(note.startswith("Time of lora-r2 against full: 4 of 12 trials were trained in") for note in cost.notes)
    study.pack("lora-r8", 0, 1)
    study.change_record("lora-r8", 0, lambda content: content["seconds"].update(timing="solo"))
    cost = titled(analyze(study.root), "Cost")
    assert "Solo trials: 2 of 6 in lora-r2; 1 of 6 in lora-r8." in cost.notes
    # Every arm has a time: nothing is to be measured.
    assert not any("harness run" in note for note in cost.notes)


def test_where_every_trial_is_solo_nobody_reads_of_packs(study: StudyFolder) -> None:
    for table in tables.build(analyze(study.root)):
        assert not any("solo" in note or "pack" in note for note in table.notes)


def test_more_training_in_packs_is_priced_by_their_shares_and_says_so(study: StudyFolder) -> None:
    report = analyze(packed(study).root)
    table = titled(report, "What would decide the rest")
    row = next(row for row in table.rows if row[1] == "1 pp, the margin")
    settling = report.comparisons[1].settling_margin
    assert settling is not None
    assert settling.seeds_needed is not None
    # 10 + s seconds of a pack of 4 and of one of 12.
    assert row[4] == digits.time_taken((settling.seeds_needed - 6) * (12.5 / 4 + 12.5 / 12))
    assert any("trials in packs of 4 to 12 counted with their share of the pack;" in note for note in table.notes)
    assert not any("one at a time" in note for note in table.notes)


def test_mixed_engines_stand_under_every_table_and_sizes_of_packs_do_not(study: StudyFolder) -> None:
    report = analyze(packed(study).root)
    assert report.footer.caveats == ()
    assert all("; packed; " in table.footer for table in tables.build(report)[:-1])
    study.change_record("full", 0, lambda content: content.update(engine="trainer", pack_size=1))
    report = analyze(study.root)
    assert all("; packed and trainer; " in table.footer for table in tables.build(report)[:-1])
    assert all("Caveats: mixed engine." in table.footer for table in tables.build(report)[:-1])
    (caveat,) = report.footer.caveats
    assert caveat.text == "The trials differ in engine: packed (17 trials), trainer (1 trial)."


def test_the_same_folder_gives_the_same_documents(study: StudyFolder) -> None:
    first = analyze(study.root)
    study.change_manifest(lambda content: content["cells"].reverse())
    second = analyze(study.root)
    assert tables.markdown(first) == tables.markdown(second)
    assert tables.latex(first) == tables.latex(second)
    assert printed(first) == printed(second)


def test_markdown_tables_keep_their_columns_whatever_the_names(nasty: StudyFolder) -> None:
    text = tables.markdown(analyze(nasty.root))
    assert text.startswith("# \\[bold\\]x\\[/\\] \\| y\n\nIs the gap real?\n\n## Verdicts\n")
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
    assert r"{*}-{}- ,{}, \textless{}b\textgreater{}\textasciigrave{}" in body


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
        assert (kind == "longtable") == (len(table.rows) > 40)
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(table.columns)}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_as_it_stands(nasty: StudyFolder, tmp_path: Path) -> None:
    (tmp_path / "tables.tex").write_text(tables.latex(analyze(nasty.root)))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


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
    found = [html.unescape(link) for link in re.findall(r'href="([^"]*)"', page)]
    assert found == links * 6
    # Beside the links the text is there, as it is.
    told = " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())
    assert told.count(text.split()[0]) >= 6


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"t: expected columns of one length, got a: 1, b: 0"):
        Table(title="t", columns=(Column("a", ["x"]), Column("b", [])), notes=(), footer="")


def test_what_is_for_checking_can_be_left_out_on_screen(study: StudyFolder) -> None:
    report = analyze(study.root)
    shown = "\n".join(str(part) for part in tables.terminal(report, details=False))
    titles = {table.title for table in tables.build(report) if table.detail}
    assert titles == {
        "Precision, recall and F1 by class",
        "Precision and recall by class, compared",
        "All tests",
        "Intervals and probabilities",
        "Where the uncertainty comes from",
        "Agreement of the seeds",
        "Provenance and caveats",
    }
    assert len(tables.terminal(report, details=False)) < len(tables.terminal(report))
    footer = titled(report, "Verdicts").footer
    assert shown.count(footer) == 1


def test_a_narrow_screen_has_the_verdicts_first_and_says_once_what_every_row_says(study: StudyFolder) -> None:
    text = printed(analyze(study.root), 80, details=False)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) < 95
    head, said = lines.index("Verdicts"), "Every row: seeds × examples: 6 × 400; test: crossed t, paired; speaks about:"
    assert any(said in line for line in lines[head : head + 14])
    # Where there is room, every row says its own.
    assert "Every row:" not in printed(analyze(study.root), 120, details=False)


def test_a_table_longer_than_a_page_may_break() -> None:
    def laid(rows: int) -> str:
        table = Table(title="t", columns=(Column("a", ["x"] * rows),), notes=(), footer="")
        return as_latex.render("title", "", [table])

    assert r"\begin{longtable}" not in laid(40)
    assert r"\begin{tabular}" not in laid(41)
    assert r"\endhead" in laid(41)


def test_a_study_of_one_arm_has_tables_without_comparisons(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    report = analyze(write_study(tmp_path / "s", simulated(rng, {"full": 0.9}, seeds=3, examples=50)).root)
    assert [table.title for table in tables.build(report)][:2] == ["Accuracy by arm", "Cost"]
    assert "Accuracy by arm" in printed(report)


def test_a_study_that_never_ran_prints_dashes_and_no_nan(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    report = analyze(study.root)
    for text in (tables.markdown(report), tables.latex(report), printed(report)):
        assert not re.search(r"\bnan\b", text)
        assert "no verdict" in text


def test_undecided_without_a_recorded_time_leaves_the_cost_open(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.change_record(arm, seed, lambda content: content.update(seconds=None))
    table = titled(analyze(study.root), "What would decide the rest")
    assert {row[4] for row in table.rows} == {"–"}


@pytest.mark.parametrize(
    ("error", "places"), [(0.52, 2), (0.034, 3), (12.0, 0), (1e-9, 4), (0.0, 2), (math.nan, 2), (1.0, 1)]
)
def test_the_standard_error_sets_the_decimals(error: float, places: int) -> None:
    assert digits.decimals(error) == places


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (digits.points(0.0206, standard_error=0.0052), "+2.06 pp"),
        (digits.points(-0.0206, standard_error=0.0052), "-2.06 pp"),
        (digits.points(-0.0206, standard_error=0.00052), "-2.060 pp"),
        (digits.points(-0.00001, standard_error=0.0052), "0.00 pp"),
        (digits.points(math.nan), "–"),
        (digits.declared_points(0.01), "1 pp"),
        (digits.declared_points(0.0125), "1.25 pp"),
        (digits.points_interval((-0.031, -0.0102), standard_error=0.0052), "[-3.10, -1.02]"),
        (digits.points_interval((math.nan, math.nan)), "–"),
        (digits.p_value(0.0123), "0.012"),
        (digits.p_value(0.0009), "<0.001"),
        (digits.p_value(math.nan), "–"),
        (digits.probability(0.0), "0.00"),
        (digits.probability(1e-6), "<0.01"),
        (digits.probability(0.9999), ">0.99"),
        (digits.probability(0.42), "0.42"),
        (digits.percent(0.8830, standard_error=0.011), "88.3%"),
        (digits.percent(math.nan), "–"),
        (digits.exact_count(124441344), "124,441,344"),
        (digits.exact_count(None), "–"),
        (digits.estimated_count(39_871), "40,000"),
        (digits.estimated_count(57), "57"),
        (digits.confidence_level(0.05 / 4), "98.75%"),
        (digits.time_taken(0.5), "0.50 s"),
        (digits.time_taken(13.54), "13.5 s"),
        (digits.time_taken(3275.93), "55 min"),
        (digits.time_taken(9000), "2.5 h"),
        (digits.time_taken(600000), "6.9 days"),
        (digits.time_taken(math.nan), "–"),
        (digits.time_taken(13.54, (9.96, 17.0)), "13.5 s (10.0 to 17.0)"),
        (digits.memory(300_000_000), "286 MiB"),
        (digits.memory(5 * 2**30), "5.0 GiB"),
        (digits.memory(None), "–"),
        (digits.ratio_interval(0.648, (0.62, 0.69)), "0.65 [0.62, 0.69]"),
        (digits.ratio_interval(0.648, (math.nan, math.nan)), "0.65"),
    ],
)
def test_rounding(made: str, text: str) -> None:
    assert made == text


def test_figures_are_rounded_in_one_file() -> None:
    folder = Path(tables.__file__).parent
    rounding = [
        f"{path.relative_to(folder)}: {ast.unparse(value)}"
        for path in folder.rglob("*.py")
        for value in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(value, ast.FormattedValue) and value.format_spec is not None
        if re.search(r"[efg%]'$", ast.unparse(value.format_spec)) and path.name not in ("digits.py", "as_latex.py")
    ]
    assert rounding == []


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
