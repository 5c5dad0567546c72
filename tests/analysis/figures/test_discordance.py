from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.figures.discordance import DiscordanceCurve, discordance_curves, draw_discordance
from analysis.methods.mcnemar import mcnemar_from_counts
from analysis.published.audit import audit
from analysis.published.claims_file import parse_claims_file


def curves(n: int = 872, **accuracies: str) -> tuple[DiscordanceCurve, ...]:
    systems: dict[str, Any] = {name: {"accuracy": printed} for name, printed in accuracies.items()}
    return discordance_curves(audit(parse_claims_file({"source": "s", "n": str(n), "systems": systems})))


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
def test_every_kind_of_curve_can_be_drawn(tmp_path: Path, accuracies: dict[str, str]) -> None:
    paths = tmp_path / "p.png", tmp_path / "p.pdf"
    draw_discordance(curves(**accuracies), *paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_bytes().startswith(b"%PDF")
