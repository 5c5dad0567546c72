"""Other packages beside this one: each judges the same simulated and real studies, in an environment of its own.

    python -m benchmarks.peers [--real FOLDER] [--only simulated|real] [--studies 600]

Writes every count to docs/peers.csv, and the tables of docs/peers.md. Needs a package registry the first time. A
package is not asked again what docs/peers.csv holds of its version and of the same designs; without that file it is, as
it must be when an adapter or the simulation has changed, or for other real runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.adapters import exchange
from benchmarks.peers.counting import Count, count, read_counts, write_counts
from benchmarks.peers.designs import N_SEEDS, REAL, Design, divide, one_recipe, simulate, simulated
from benchmarks.peers.packages import ADAPTERS, PACKAGES, Package, python_of
from benchmarks.peers.page import with_tables


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Studies of one design, in a file.

    Parameters
    ----------
    file : Path
    design : Design
    studies : int
    runs : int
        Of real studies, how many runs they are drawn from; else 0.
    """

    file: Path
    design: Design
    studies: int
    runs: int = 0

    def counted(self, package: Package, counts: Iterable[Count]) -> bool:
        """Whether a package has judged these studies; this project, whose version says little, judges them again."""
        same = package.pinned, self.design, self.studies, self.runs
        uses = {
            one.use for one in counts if same == (f"{one.package}=={one.version}", one.design, one.studies, one.runs)
        }
        return uses >= package.speaks_about.keys()


def judge(package: Package, python: str, batches: Sequence[Batch]) -> Iterator[list[Count]]:
    """Let a package judge all studies, and count what it claims, batch by batch and there by way of use."""
    # One thread each: several packages work at once.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, str(ADAPTERS / package.adapter), *(str(batch.file) for batch in batches)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        for batch, line in zip(batches, process.stdout or (), strict=False):
            said = json.loads(line)
            yield [
                Count(
                    package=package.name,
                    version=said["version"],
                    use=use,
                    design=batch.design,
                    ms=1000 * answer["seconds"],
                    runs=batch.runs,
                    **count(answer["claims"]),
                )
                for use, answer in said["uses"].items()
            ]
    if process.returncode:
        raise RuntimeError(f"{package.adapter} failed, with exit code {process.returncode}")


def batches(options: argparse.Namespace, folder: Path) -> Iterator[Batch]:
    """Write the studies, design by design."""
    if options.only != "real":
        for number, design in enumerate(simulated()):
            # A share near a half needs fewer studies than one near .05.
            studies = options.studies // 2 if design.gap else options.studies
            file = folder / f"{number}.npz"
            exchange.write(file, simulate(design, studies))
            yield Batch(file=file, design=design, studies=studies)
    if options.only != "simulated" and options.real.exists():
        right = one_recipe(options.real)
        # A pool that is too small for so many seeds leaves their cells empty.
        for seeds in (seeds for seeds in N_SEEDS if 2 * seeds <= len(right)):
            design = Design(regime=REAL, seeds=seeds, examples=right.shape[1], gap=0.0)
            file = folder / f"real-{seeds}.npz"
            exchange.write(file, divide(right, design, options.studies))
            yield Batch(file=file, design=design, studies=options.studies, runs=len(right))


def main() -> None:
    """Count, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=Path("results/reference/one_recipe"), help="runs of one recipe")
    parser.add_argument("--only", choices=["simulated", "real"], help="count one part, and keep the other as it was")
    parser.add_argument("--studies", type=int, default=600, help="of each kind; half of it where there is a gap")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--environments", type=Path, default=Path(".nox/peer-environments"))
    parser.add_argument("--page", type=Path, default=Path("docs/peers.md"))
    options = parser.parse_args()
    if options.only != "simulated" and not options.real.exists():
        print(f"{options.real} does not exist: nothing real is counted; --real names another folder", file=sys.stderr)
        if options.only == "real":
            raise SystemExit(2)

    table = options.page.with_suffix(".csv")
    ready: list[tuple[Package, str]] = []
    absent: dict[str, str] = {}
    for package in PACKAGES:
        try:
            ready.append((package, python_of(package, options.environments)))
        except RuntimeError as error:
            absent[package.name] = str(error)
            print(error, file=sys.stderr)
    counts = {one.key: one for one in read_counts(table)}
    lock = threading.Lock()

    def work(package: Package, python: str) -> None:
        for of_batch in judge(package, python, left[package.name]):
            # What has been counted survives a later failure.
            with lock:
                counts.update((one.key, one) for one in of_batch)
                write_counts(table, counts.values())
        print(f"{package.name}: all studies are judged", flush=True)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.workers) as pool:
        written, known = list(batches(options, Path(folder))), list(counts.values())
        left = {package.name: [batch for batch in written if not batch.counted(package, known)] for package, _ in ready}
        for job in [pool.submit(work, *one) for one in ready]:
            job.result()
    page = with_tables(options.page.read_text("utf-8"), list(counts.values()), absent)
    options.page.write_text(page, encoding="utf-8")
    print(f"{options.page} and {table}")


if __name__ == "__main__":
    main()
