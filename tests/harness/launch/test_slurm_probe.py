from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import provenance
from harness.errors import HarnessError
from harness.launch import slurm_probe, slurm_queue
from harness.launch.slurm_options import parse_options
from harness.launch.slurm_probe import Probe
from tests.harness.launch.conftest import Program

OPTIONS = parse_options("partition=gpu time=4:00:00")


@pytest.fixture
def runs_at_once(programs: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sbatch run the script here, and the queue show its end."""
    monkeypatch.setattr(slurm_queue, "_EVERY", -1.0)
    programs("sbatch", "sh -s >/dev/null 2>&1; echo '5;cluster'")
    programs("squeue", "echo '5|COMPLETED|n1|None|0|'")
    programs("scancel", "")


@pytest.mark.usefixtures("runs_at_once")
def test_a_folder_that_a_node_sees(tmp_path: Path) -> None:
    probe = Probe(tmp_path, OPTIONS)
    assert probe.has_passed()
    probe.cancel()
    assert {path.name for path in tmp_path.iterdir()} == {"programs"}


@pytest.mark.usefixtures("runs_at_once")
def test_another_version_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = provenance.code_in_words(provenance.code())
    monkeypatch.setattr(provenance, "code", lambda: ("9.9.9", None))
    with pytest.raises(HarnessError, match=f"here is ablation-harness 9.9.9, and on a node, as .*, {there}; install"):
        Probe(tmp_path, OPTIONS).has_passed()


@pytest.mark.usefixtures("runs_at_once")
def test_another_commit_is_refused_by_name_where_both_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, commit = provenance.code()
    monkeypatch.setattr(provenance, "code", lambda: (version, None))
    assert Probe(tmp_path, OPTIONS).has_passed()
    if commit is None:
        pytest.skip("no checkout of git: the node's commit is not known")
    monkeypatch.setattr(provenance, "code", lambda: (version, "0" * 40))
    with pytest.raises(HarnessError, match=f"at commit 000000000000, and on a node, .* at commit {commit[:12]}; "):
        Probe(tmp_path, OPTIONS).has_passed()


@pytest.mark.usefixtures("runs_at_once")
def test_a_node_without_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(HarnessError, match=r"no worker could start: on a node, /no/python says: .*not found"):
        Probe(tmp_path, OPTIONS).has_passed()


def test_the_job_is_short_and_like_a_worker(tmp_path: Path, programs: Program, runs_at_once: None) -> None:
    programs("sbatch", f'echo "$*" > {tmp_path}/asked; echo 5')
    Probe(tmp_path, OPTIONS)
    options = "--signal=TERM@120 --partition=gpu --time=5 --job-name=harness-probe --chdir=/ --output=/dev/null"
    assert (tmp_path / "asked").read_text() == f"--parsable {options} --no-requeue\n"


def test_a_folder_that_a_node_does_not_see(tmp_path: Path, programs: Program, runs_at_once: None) -> None:
    programs("sbatch", "echo 5")
    programs("squeue", "echo '5|RUNNING|n1|None|0|'")
    probe = Probe(tmp_path, OPTIONS)
    assert not probe.has_passed()
    programs("squeue", "echo '5|FAILED|n1|NonZeroExitCode|256|'")
    assert not probe.has_passed()
    with pytest.raises(HarnessError, match=rf"cannot see or write the folder {tmp_path}: job 5 on n1 ended \(FAILED\)"):
        probe.has_passed()


def test_a_file_may_come_some_time_after_the_job(
    tmp_path: Path, programs: Program, runs_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(slurm_probe, "time", SimpleNamespace(monotonic=lambda: clock[-1], time_ns=lambda: 1))
    programs("sbatch", "echo 5")
    probe = Probe(tmp_path, OPTIONS)
    assert not probe.has_passed()
    clock.append(69.0)
    assert not probe.has_passed()
    clock.append(71.0)
    with pytest.raises(HarnessError, match=r"job 5 on n1 ended \(COMPLETED\) and left no file"):
        probe.has_passed()


def test_what_the_job_waits_for(tmp_path: Path, programs: Program, runs_at_once: None) -> None:
    programs("sbatch", "echo 5")
    programs("squeue", "echo '5|PENDING||Priority|0|'")
    programs("scancel", f"echo $* > {tmp_path}/cancelled")
    probe = Probe(tmp_path, OPTIONS)
    assert probe.waits_for is None
    assert not probe.has_passed()
    assert probe.waits_for == "job 5, which looks whether nodes see the results: Priority"
    programs("squeue", "echo '5|RUNNING|n1|None|0|'")
    assert not probe.has_passed()
    assert probe.waits_for is None
    probe.cancel()
    assert (tmp_path / "cancelled").read_text() == "5\n"


def test_a_job_that_slurm_refuses(tmp_path: Path, programs: Program) -> None:
    programs("sbatch", "echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1")
    with pytest.raises(HarnessError, match="Slurm refuses the job: Batch job submission failed: Invalid account"):
        Probe(tmp_path, OPTIONS)
