from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from analysis.figures.discordance import DiscordanceCurve, discordance_curves, discordance_figure
from analysis.methods.mcnemar import mcnemar_from_counts
from analysis.published.audit import Audit, audit
from analysis.published.claims_file import parse_claims_file
from analysis.tables import audit as tables


def audited(n: int = 872, **accuracies: str) -> Audit:
    systems: dict[str, Any] = {name: {"accuracy": printed} for name, printed in accuracies.items()}
    return audit(parse_claims_file({"source": "s", "n": str(n), "systems": systems}))


def curves(n: int = 872, **accuracies: str) -> tuple[DiscordanceCurve, ...]:
    return discordance_curves(audited(n, **accuracies))


def test_a_curve_is_mcnemars_test_at_every_discordance() -> None:
    (curve,) = curves(full="0.883", lora="0.862")
    assert (curve.name, curve.gap, curve.significant_up_to) == ("lora against full", -18, 74)
    assert curve.discordance.tolist() == list(range(18, 223, 2))
    for at in (0, 1, 28, -1):
        total = int(curve.discordance[at])
        expected = mcnemar_from_counts((total - 18) // 2, (total + 18) // 2, n=872)
        assert (curve.p_exact[at], curve.p_mid[at]) == pytest.approx((expected.p_exact, expected.p_mid))
    # The threshold lies where the result says.
    assert curve.discordance[curve.p_exact <= curve.alpha].max() == curve.significant_up_to


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    (curve,) = curves(n=1_000_000, a="0.883000", b="0.862000")
    assert len(curve.discordance) <= 2000
    assert (curve.discordance[0], curve.discordance[-1]) == (21_000, 255_000)
    assert (np.diff(curve.discordance) % 2 == 0).all()


def test_figures_that_allow_several_gaps_have_the_curve_of_the_largest() -> None:
    (curve,) = curves(a="0.88", b="0.86")
    assert curve.gap == -25
    assert curve.discordance[0] == 25


def test_pairs_without_right_answers_have_no_curve() -> None:
    assert curves(a="0.8853", b="0.862", n=100) == ()


@pytest.mark.parametrize(
    "accuracies",
    [
        {"a": "0.883", "b": "0.862"},
        {"a": "0.9071", "b": "0.9060"},
        {"a": "0.99", "b": "0.50"},
        {"a": "1.0000", "b": "1.0000"},
        {"a": "0.8830", "b": "0.8830"},
        {"a": "0.883", "b": "0.862", "c": "0.5"},
    ],
    ids=["undetermined", "never significant", "always significant", "no errors", "no gap", "three pairs"],
)
def test_every_kind_of_curve_can_be_drawn(accuracies: dict[str, str]) -> None:
    figure = discordance_figure(audited(**accuracies))
    assert not figure.reason
    for width in ("single", "double"):
        words = [element.text or "" for element in ET.fromstring(figure.svg(width=width)).iter()]
        assert "exact p" in words
        assert not any("$" in word for word in words)


def test_its_numbers_are_those_of_the_table_and_its_words_name_the_population() -> None:
    one = audited(full="0.883", lora="0.862")
    figure, table = discordance_figure(one), tables.named(one)["overlaps"]
    assert figure.columns == table.columns
    assert "about these two trained models, on new examples" in figure.caption
    assert "Band: exact p at most 0.05." in figure.caption
    assert figure.alt == (
        "McNemar's p over the discordance. lora against full: discordance 18 to 222 of 872 examples, exact p at most "
        "0.05 up to 74."
    )
    assert figure.svg() == figure.svg()


def test_of_many_pairs_those_that_are_open_are_drawn() -> None:
    systems = {f"s{i:02d}": f"0.{860 + i}" for i in range(15)}
    figure = discordance_figure(audited(**systems))
    assert "Shown are 12 of 78 pairs, undecided ones first" in figure.caption
    assert len(figure.columns[0].cells) == 78
    assert "; and 70 more." in figure.alt


def test_sizes_that_differ_are_drawn_as_shares() -> None:
    claims = {
        "reports": {
            name: {"source": "s", "n": n, "systems": {"a": {"accuracy": "0.90"}, "b": {"accuracy": "0.80"}}}
            for name, n in (("small", "100"), ("large", "1000"))
        }
    }
    figure = discordance_figure(audit(parse_claims_file(claims)))
    assert "discordant examples (%)" in figure.svg()


def test_without_right_answers_it_says_why() -> None:
    figure = discordance_figure(audited(a="0.8853", b="0.862", n=100))
    assert figure.reason == "For no pair do the figures say how many answers were right."
