from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from analysis.methods.multiplicity import holm
from analysis.methods.rank_sets import rank_sets, shown_better
from analysis.published.audit import Audit, audit
from analysis.published.boards import Board
from analysis.published.claims_file import parse_claims_file, read_claims
from analysis.published.published_report import MOST_ON_A_BOARD
from analysis.tables import audit as tables

PEFT = Path(__file__).parents[3] / "studies" / "claims" / "peft_metamathqa.yaml"


def judged(n: int = 872, **systems: Any) -> Audit:
    return audit(parse_claims_file({"source": "table 1", "n": str(n), "pairs": "board", "systems": systems}))


def board_of(audited: Audit) -> Board:
    board = audited.reports[0].board
    assert board is not None
    return board


def counts(n: int, *right: int) -> Board:
    return board_of(judged(n, **{f"s{at}": f"{count}/{n}" for at, count in enumerate(right)}))


@pytest.fixture(scope="module")
def peft() -> Audit:
    return audit(read_claims(PEFT))


def test_the_board_of_peft_is_what_its_files_say(peft: Audit) -> None:
    board = board_of(peft)
    assert (len(board.rows), board.n, board.not_ranked) == (63, 1319, ())
    assert all(system.settings["seed"] == "0" for system in peft.reports[0].report.systems.values())
    assert all(row.right[0] == row.right[1] for row in board.rows)
    right = [row.right[0] for row in board.rows]
    assert (right[0], right[-1]) == (694, 0)
    # The statement, recomputed from the figures themselves: 36 of 62 neighbours are fewer than six answers apart.
    figures = sorted(round(1319 * float(row.printed)) for row in board.rows)
    assert (sum(np.diff(figures) < 6), len(figures) - 1) == (36, 62)
    assert (board.closer, board.least_gap, board.neighbours.pairs) == (36, 6, 62)


def test_six_answers_are_the_least_that_can_be_significant() -> None:
    assert stats.binomtest(6, 6).pvalue <= 0.05 < stats.binomtest(5, 5).pvalue
    assert counts(872, 791, 785).least_gap == 6


def test_the_paragraph_could_stand_in_a_review(peft: Audit) -> None:
    board = board_of(peft)
    paragraph = tables.as_json(peft)["reports"][0]["board"]["paragraph"]
    near, pairs = board.neighbours, board.all_pairs
    for words in (
        "The board ranks 63 systems by one run each, on 1,319 test examples.",
        "36 of 62 pairs of neighbours are fewer than 6 answers apart, which no overlap of errors makes significant.",
        f"{near.always} are significant whatever the overlap, {near.never} by no overlap, and for {near.open} the",
        f"Of all 1,953 pairs, corrected together, {pairs.always} can be told apart whatever the overlap",
        "lily/llama-3.2-3B-rank140-mlp-a2-b2-s8.0, in front, may have any rank from 1 to 30; 30 systems may be the",
        "one run of each says nothing about the methods",
    ):
        assert words in paragraph
    assert near.never + near.open + near.always == 62
    assert pairs.never + pairs.open + pairs.always == 1953
    assert any(paragraph in row for table in tables.build(peft) for row in table.rows)


def test_two_systems_are_a_pair() -> None:
    # As in the audit of the pair: 18 answers apart, p from 7.6e-6 to 0.254.
    board = counts(872, 752, 770)
    assert [(row.name, row.rank) for row in board.rows] == [("s1", 1), ("s0", 2)]
    below = board.rows[0].next
    assert below is not None
    assert below.gap == (18, 18)
    assert below.p_exact == below.p_corrected
    assert below.p_exact == pytest.approx((stats.binomtest(18, 18).pvalue, stats.binomtest(102, 222).pvalue))
    assert below.outcome == "undetermined without predictions"
    assert [(row.ranks, row.ranks_at_best) for row in board.rows] == [((1, 2), (1, 1)), ((1, 2), (2, 2))]


def test_three_systems_by_hand() -> None:
    # Of 100: 90, 83 and 20. Each neighbour's p is doubled (Holm over 2 pairs in both directions: 4 statements), but for
    # the second, which takes 3 of the one-sided ones.
    board = counts(100, 90, 83, 20)
    first, second = board.rows[0].next, board.rows[1].next
    assert first is not None
    assert second is not None
    assert first.p_corrected[0] == pytest.approx(3 * stats.binomtest(7, 7, alternative="greater").pvalue)
    assert second.p_corrected[0] == pytest.approx(4 * stats.binomtest(63, 63, alternative="greater").pvalue)
    # At worst 80 are right only for the second and 17 only for the third.
    assert second.p_corrected[1] == pytest.approx(4 * stats.binomtest(80, 97, alternative="greater").pvalue)
    assert (first.outcome, second.outcome) == ("undetermined without predictions", "significant whatever the overlap")
    assert [row.ranks for row in board.rows] == [(1, 2), (1, 2), (3, 3)]
    assert [row.ranks_at_best for row in board.rows] == [(1, 1), (2, 2), (3, 3)]
    assert (board.all_pairs.pairs, board.all_pairs.always, board.all_pairs.open) == (3, 2, 1)


def test_equal_figures_share_a_rank_and_keep_their_order() -> None:
    board = counts(872, 700, 750, 750, 690)
    assert [(row.name, row.rank) for row in board.rows] == [("s1", 1), ("s2", 1), ("s0", 3), ("s3", 4)]
    assert board.rows[0].next is not None
    assert board.rows[0].next.outcome == "cannot be significant"


def test_figures_of_few_digits_leave_ranges_and_no_contradiction() -> None:
    board = board_of(judged(872, a="88%", b="88%", c="87%"))
    assert board.rows[0].right == (763, 771)
    assert [row.rank for row in board.rows] == [1, 1, 3]
    assert board.rows[0].next is not None
    assert board.rows[0].next.gap == (0, 8)
    # Either of the equal ones may be ahead by eight, so their predictions may tell them apart; not by these figures.
    assert board.rows[0].next.outcome == "undetermined without predictions"
    assert all(best <= worst for row in board.rows for best, worst in (row.ranks, row.ranks_at_best))


def test_what_cannot_be_ranked_is_said() -> None:
    audited = judged(
        872,
        a="90.71%",
        b={"accuracy": "90.02%"},
        mean={"accuracy": "91.2 ± 0.3", "runs": "5"},
        unsaid={"accuracy": "91.2 ± 0.3"},
        none={"f1": "0.9"},
        impossible="90.70%",
    )
    board = board_of(audited)
    assert [row.name for row in board.rows] == ["a", "b"]
    assert {one.name: one.reason.split(",")[0] for one in board.not_ranked} == {
        "mean": "mean is a mean over 5 runs",
        "unsaid": "91.2% ± 0.3%",
        "none": "no accuracy of none is printed",
        "impossible": "no number of right answers out of 872 rounds to 90.70%",
    }
    text = tables.markdown(audited)
    assert "4 systems cannot be ranked" in text
    assert all(f"Not ranked: {one.reason.split(' ± ')[0]}" in text for one in board.not_ranked)


def test_a_board_of_one_has_nothing_to_tell_apart() -> None:
    for systems in ({"a": "0.9"}, {"a": {"f1": "0.9"}}):
        audited = judged(872, **systems)
        board = board_of(audited)
        assert board.neighbours.pairs == board.all_pairs.pairs == board.closer == 0
        assert "so there is nothing to tell apart" in tables.as_json(audited)["reports"][0]["board"]["paragraph"]


def test_a_report_without_a_board_has_none() -> None:
    content = {"source": "t", "n": "872", "systems": {"a": "0.883", "b": {"accuracy": "0.862"}}}
    (report,) = audit(parse_claims_file(content)).reports
    assert report.board is None
    assert [pair.name for pair in report.pairs] == ["b against a"]


def test_several_boards_stand_in_one_file() -> None:
    systems = {"a": "90%", "b": "80%"}
    reports = {"one": {"n": "872", "systems": systems}, "other": {"n": "500", "systems": systems, "pairs": []}}
    audited = audit(parse_claims_file({"source": "t", "pairs": "board", "reports": reports}))
    assert [report.board is None for report in audited.reports] == [False, True]
    assert "Leaderboard: one" in [table.title for table in tables.build(audited)]


def test_a_board_has_an_end() -> None:
    systems = {f"s{at}": "0.5" for at in range(MOST_ON_A_BOARD + 1)}
    with pytest.raises(Exception, match=f"expected at most {MOST_ON_A_BOARD:,} systems on a board, got 1,001"):
        judged(872, **systems)


def test_five_hundred_systems_are_judged() -> None:
    rng = np.random.default_rng(1)
    board = counts(1319, *rng.integers(300, 1300, size=500).tolist())
    assert len(board.rows) == 500
    assert board.all_pairs.pairs == 124_750
    # The least fit systems are surely behind the fittest.
    assert board.rows[-1].ranks[0] > 1


def answers(rng: np.random.Generator, kind: str, k: int, n: int) -> NDArray[np.bool_]:
    """Right answers of equally good systems, shape (k, n): independent, alike, in clusters, or each like the last."""
    own = rng.normal(size=(k, n))
    if kind == "alike":
        own = own + 1.5 * rng.normal(size=n)
    if kind == "clusters":
        own = 0.3 * own + 1.5 * rng.normal(size=(3, n))[np.arange(k) % 3]
    if kind == "chain":
        own = np.cumsum(own, axis=0) / np.sqrt(np.arange(1, k + 1))[:, None]
    right: NDArray[np.bool_] = own > -0.9 * (own.std() if kind != "chain" else 1)
    return right


@pytest.mark.parametrize("kind", ["independent", "alike", "clusters", "chain"])
def test_equally_good_systems_are_seldom_told_apart(kind: str) -> None:
    rng = np.random.default_rng(20)
    k, n, draws, alpha = 8, 250, 400, 0.05
    neighbours = pairs = whatever = 0
    for _ in range(draws):
        right = answers(rng, kind, k, n).astype(np.int64)
        only = right @ (1 - right).T
        p = np.where(only > only.T, special.bdtr(only.T, only + only.T, 0.5), 1.0)
        order = np.argsort(-right.sum(axis=1), kind="stable")
        # With the predictions: neighbours in the order of this very draw, and all pairs.
        adjusted = holm(np.concatenate([p[order[:-1], order[1:]], p[order[1:], order[:-1]]]))
        shown = shown_better(p, alpha=alpha)
        neighbours += bool((adjusted <= alpha).any())
        pairs += bool(shown.any())
        # From the counts alone: never more than that.
        board = counts(n, *right.sum(axis=1).tolist())
        whatever += board.all_pairs.always > 0 or board.neighbours.always > 0
        sets = {int(row.name[1:]): (row.ranks, row.ranks_at_best) for row in board.rows}
        for at, (best, worst) in enumerate(rank_sets(shown).tolist()):
            wide, narrow = sets[at]
            assert wide[0] <= best <= narrow[0]
            assert narrow[1] <= worst <= wide[1]
    most = draws * (alpha + 3 * np.sqrt(alpha * (1 - alpha) / draws))
    assert neighbours <= most
    assert pairs <= most
    assert whatever <= pairs + neighbours
