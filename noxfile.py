"""The project's checks: `nox` runs the default ones, `nox -s NAME` one of them."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "analysis", "tests", "smoke", "wheel"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
# Two workers with a thread each: torch's own threads would only get in each other's way.
WORKERS = ("-n", os.environ.get("HARNESS_TEST_WORKERS", "2"))
ONE_THREAD = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
# Where everything is installed, a test that skips because a package is missing fails.
EVERYTHING = {**ONE_THREAD, "HARNESS_TESTS_NOTHING_MISSING": "1"}


def group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, name)


def install(session: nox.Session, *what: str) -> None:
    session.install("-q", "-c", "constraints.txt", *what)


def install_schemas(session: nox.Session) -> None:
    """Install Every Eval Ever for its schemas, which are files for any Python, without all that its tools need."""
    session.install("-q", "--no-deps", "--ignore-requires-python", "every-eval-ever==0.3.0")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests, doctests included; those of the analysis have a session of their own."""
    install(session, "-e", ".[train]", *group("test"))
    install_schemas(session)
    session.run("pytest", *WORKERS, *(session.posargs or ("--ignore=tests/analysis",)), env=EVERYTHING)


@nox.session
def analysis(session: nox.Session) -> None:
    """Run the analysis' tests where torch is not installed."""
    install(session, "-e", ".", *group("test"))
    session.run("python", "-c", "import importlib.util as u; assert not u.find_spec('torch'), 'torch is installed'")
    session.run("pytest", *WORKERS, *(session.posargs or ("tests/analysis",)), env=EVERYTHING)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, and who may import whom."""
    install(session, "-e", ".", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "-e", ".[train]", *group("types"))
    session.run("mypy")


@nox.session
def smoke(session: nox.Session) -> None:
    """Run a tiny subset of every shipped study on the embedded data and models, through the commands."""
    install(session, "-e", ".[train]", *group("test"))
    session.run("pytest", *WORKERS, "-m", "slow", "tests/test_smoke.py", *session.posargs, env=EVERYTHING)


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it without the extra, and use it from a folder that has an analysis.py of its own."""
    place = Path(session.create_tmp()).resolve()
    shutil.rmtree(place)
    dist, alone, typed = (place / name for name in ("dist", "alone", "typed"))
    for folder in (alone, typed):
        folder.mkdir(parents=True)
    install(session, *group("wheel"))
    # The wheel is built from the source distribution, so that one is whole too.
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (built,) = dist.glob("*.whl")
    content = set(zipfile.ZipFile(built).namelist())
    needed = {"analysis/py.typed", "harness/py.typed", "harness/embedded/quickstart.yaml"}
    needed |= {f"analysis/html/templates/{name}" for name in ("report.html", "report.css", "explorer.js")}
    folders = {name.partition("/")[0] for name in content if ".dist-info/" not in name}
    if needed - content or "harness/embedded/pretrain.py" in content or folders != {"analysis", "harness"}:
        session.error(f"{built.name}: missing {needed - content}, folders {folders}")
    install(session, str(built))

    (alone / "analysis.py").write_text("raise SystemExit('the wrong analysis was loaded')\n")
    rows = [f"{arm},{run},{n},{n % 2},{n * run % 2}" for arm in ("full", "lora") for run in range(3) for n in range(9)]
    predictions = "\n".join(["model,seed,id,label,pred", *rows]) + "\n"
    (alone / "preds.csv").write_text(predictions)
    harness = str(Path(session.bin) / "harness")
    first, train = "harness run embedded/quickstart", "pip install -e '.[train]'"
    with session.chdir(alone):
        for arguments, code, expected in (
            (("--version",), 0, PYPROJECT["project"]["version"]),
            (("--help",), 0, first),
            (("status",), 2, first),
            (("analyze",), 2, first),
            (("audit", "--n", "872", "90.71%", "90.60%"), 0, "one example apart"),
            (("import", "preds.csv", "--name", "mine"), 0, "6 runs added"),
            (("analyze", "results/mine"), 0, "lora against full"),
            (("export", "mine", "--to", "parquet"), 0, "6 trials"),
            (("plan", "embedded/quickstart"), 0, train),
            (("run", "embedded/quickstart"), 2, train),
        ):
            output = session.run(harness, *arguments, success_codes=[code], silent=True)
            if expected not in " ".join(output.split()):
                session.error(f"harness {' '.join(arguments)} does not say {expected!r}:\n{output}")

    blocks = re.findall(r"```python\n(.*?)```", Path("README.md").read_text("utf-8"), re.DOTALL)
    names = [f"user{number}.py" for number, _ in enumerate(blocks)]
    for name, lines in zip(names, blocks, strict=True):
        (typed / name).write_text(lines)
    (typed / "preds.csv").write_text(predictions)
    with session.chdir(typed):
        session.run("mypy", "--strict", *names)
        # The first one compares somebody's predictions, and needs nothing else.
        session.run("python", names[0])


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the tests with the lowest version of every package that pyproject.toml allows."""
    project = PYPROJECT["project"]
    direct = (*project["dependencies"], *project["optional-dependencies"]["train"])
    session.install("-q", "-e", ".[train]", *(package.replace(">=", "==") for package in direct), *group("test"))
    install_schemas(session)
    # What the lowest versions need comes in its newest, and warns of them.
    session.run("pytest", *WORKERS, "-W", "default", *session.posargs, env=EVERYTHING)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure how much of the code the fast tests run; fails below the floor in pyproject.toml."""
    install(session, "-e", ".[train,ray,slurm]", *group("coverage"))
    install_schemas(session)
    session.run("coverage", "erase")
    chosen = "not slow and not gpu and not real and not network and not browser"
    session.run("coverage", "run", "-m", "pytest", *WORKERS, "-m", chosen, *session.posargs, env=EVERYTHING)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def calibration(session: nox.Session) -> None:
    """Count how often every method errs, over simulated studies; writes docs/calibration.md."""
    install(session, "-e", ".")
    session.run("python", "-m", "calibration", *session.posargs, env=ONE_THREAD)


@nox.session
def peers(session: nox.Session) -> None:
    """Let other packages judge the same studies, each in an environment of its own; writes docs/peers.md."""
    install(session, "-e", ".")
    session.run("python", "-m", "benchmarks.peers", *session.posargs)


@nox.session
def answer(session: nox.Session) -> None:
    """Write docs/answer.md and docs/one-recipe.md with their figures from the runs under results/reference."""
    install(session, "-e", ".")
    session.run("python", "-m", "answer", *session.posargs, env=ONE_THREAD)


@nox.session
def reference(session: nox.Session) -> None:
    """Train the reference studies from scratch, with the models of the reports; says first how long that takes."""
    install(session, "-e", ".[train]")
    session.run("python", "-m", "answer.from_scratch", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Look at the pages of reports in a real Chromium; needs one, and chromedriver."""
    if not (shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome"))):
        session.skip("no Chromium with chromedriver; Debian's packages are chromium and chromium-driver")
    install(session, "-e", ".", *group("browser"))
    pictures = os.environ.get("HARNESS_PICTURES") or str(Path(session.create_tmp()).resolve())
    env = {**ONE_THREAD, "HARNESS_PICTURES": pictures}
    session.run("pytest", "-m", "browser", "tests/test_browser.py", *session.posargs, env=env)
    session.log(f"what it looked like: {pictures}")


@nox.session
def cluster(session: nox.Session) -> None:
    """Train on a Ray and a Slurm of two nodes and with a PostgreSQL, which the tests start; skips what is not there."""
    install(session, "-e", ".[train,ray,slurm]", *group("test"))
    session.run("pytest", "-m", "cluster", "tests/harness", *session.posargs, env=EVERYTHING)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill workers, nodes, drivers, jobs, daemons and a database at random moments, HARNESS_FAULTS times in all."""
    install(session, "-e", ".[train,ray,slurm]", *group("test"))
    session.run("pytest", "-m", "slow", "-s", "tests/faults", *session.posargs, env=EVERYTHING)


@nox.session
def real(session: nox.Session) -> None:
    """Run the main job on the real SST-2 and a real encoder: needs HARNESS_SST2 and HARNESS_ENCODER."""
    for name in ("HARNESS_SST2", "HARNESS_ENCODER"):
        if not os.environ.get(name):
            session.error(f"{name} is not set; see docs/real.md")
    install(session, "-e", ".[train]", *group("test"))
    session.run("pytest", "-m", "real", "-s", *session.posargs, env={"HF_HUB_OFFLINE": "1"})
