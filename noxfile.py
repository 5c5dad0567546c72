"""The project's checks: `nox` runs the default ones, `nox -s NAME` one of them."""

from __future__ import annotations

import os

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "analysis", "tests", "smoke"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

# Two workers with a thread each: torch's own threads would only get in each other's way.
WORKERS = ("-n", os.environ.get("HARNESS_TEST_WORKERS", "2"))
ONE_THREAD = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def install(session: nox.Session, *what: str) -> None:
    session.install("-q", "-c", "constraints.txt", *what)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests, doctests included."""
    install(session, "-e", ".[train]", "hypothesis", "pytest", "pytest-xdist")
    session.run("pytest", *WORKERS, *session.posargs, env=ONE_THREAD)


@nox.session
def analysis(session: nox.Session) -> None:
    """Run the analysis' tests where torch is not installed."""
    install(session, "-e", ".", "hypothesis", "pytest", "pytest-xdist")
    session.run("python", "-c", "import importlib.util as u; assert not u.find_spec('torch'), 'torch is installed'")
    session.run("pytest", *WORKERS, "tests/analysis", *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, and who may import whom."""
    install(session, "-e", ".", "ruff", "import-linter")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "-e", ".[train]", "mypy", "pandas-stubs", "scipy-stubs")
    session.run("mypy")


@nox.session
def smoke(session: nox.Session) -> None:
    """Run a tiny subset of every shipped study on the embedded data and models, through the commands."""
    install(session, "-e", ".[train]", "hypothesis", "pytest", "pytest-xdist")
    session.run("pytest", *WORKERS, "-m", "slow", "tests/test_smoke.py", *session.posargs, env=ONE_THREAD)


@nox.session
def calibration(session: nox.Session) -> None:
    """Count how often every method errs, over simulated studies; writes docs/calibration.md."""
    install(session, "-e", ".")
    session.run("python", "-m", "calibration", *session.posargs, env=ONE_THREAD)


@nox.session
def real(session: nox.Session) -> None:
    """Run the main job on the real SST-2 and a real encoder: needs HARNESS_SST2 and HARNESS_ENCODER."""
    for name in ("HARNESS_SST2", "HARNESS_ENCODER"):
        if not os.environ.get(name):
            session.error(f"{name} is not set; see docs/real.md")
    install(session, "-e", ".[train]", "hypothesis", "pytest", "pytest-xdist")
    session.run("pytest", "-m", "real", "-s", *session.posargs, env={"HF_HUB_OFFLINE": "1"})
