"""Accuracy of the packed engine against the reference engine: an equivalence test, with dropout.

    python benchmarks/same_results.py [--seeds 20] [--margin 0.01]

Trains studies/quickstart.yaml through both engines. With dropout on the two draw different masks, so their trials
differ as two runs do; the question is whether the procedures do. Each arm is put to the project's own equivalence test:
the crossed test over seeds and examples, and TOST within the margin.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from analysis import crossed_test, load, tost
from harness import load_study, run_study


def main() -> None:
    """Train both sides and print a line for each arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--margin", type=float, default=0.01)
    options = parser.parse_args()
    study = load_study(Path(__file__).parent.parent / "studies" / "quickstart.yaml", [f"seeds={options.seeds}"])
    with tempfile.TemporaryDirectory() as root:
        packed, reference = (
            load(run_study(study, Path(root) / engine, engine=engine).folder) for engine in ("packed", "trainer")
        )
        margin = f"{100 * options.margin:g} pp"
        print(f"| arm | packed | trainer | gap | standard error | p of a gap | p of {margin} or more |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for arm in study.arms:
            ours, theirs = packed.scores(arm), reference.scores(arm)
            result = crossed_test(ours, theirs, paired=True)
            same = tost(result.estimate, result.standard_error, result.df, margin=options.margin)
            means = " | ".join(f"{100 * scores.mean():.2f}%" for scores in (ours, theirs))
            print(
                f"| {arm} | {means} | {100 * result.estimate:+.2f} pp | {100 * result.standard_error:.2f} pp "
                f"| {result.p_value:.2g} | {same.p_value:.2g} |"
            )


if __name__ == "__main__":
    main()
