from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.launch.slurm_options import check_options, grace_of, parse_options
from tests.harness.launch.conftest import Program


def test_a_text_becomes_options() -> None:
    options = parse_options("--partition=gpu cpus_per_task=4 comment='two words' signal=SIGUSR1@300")
    assert options == {"signal": "SIGUSR1@300", "partition": "gpu", "cpus-per-task": "4", "comment": "two words"}
    assert grace_of(options) == 300
    assert parse_options("") == {"signal": "TERM@120"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpu", "'gpu' is not key=value"),
        ("partition=", "'partition=' is not key=value"),
        ("=gpu", "'=gpu' is not key=value"),
        ("partition='gpu", "No closing quotation"),
        ("array=0-3", "array cannot be set"),
        ("ntasks_per_node=2", "ntasks-per-node cannot be set"),
        ("signal=B:TERM@60", "signal=B:TERM@60 is not NAME@SECONDS such as TERM@120; names: TERM, USR1, USR2"),
        ("signal=TERM", "signal=TERM is not NAME@SECONDS"),
    ],
)
def test_a_wrong_text_is_one_message(text: str, words: str) -> None:
    with pytest.raises(HarnessError, match=words) as raised:
        parse_options(text)
    assert str(raised.value).startswith("--sbatch")
    assert "\n" not in str(raised.value)


def test_a_partition_that_does_not_exist(programs: Program) -> None:
    programs("sinfo", "printf 'gpu\\ncpu\\n'")
    programs("sbatch", "exit 99")
    with pytest.raises(HarnessError, match=r"no partition 'gpus'; did you mean 'gpu'\?; Slurm has gpu, cpu"):
        check_options(parse_options("partition=cpu,gpus"), 2)


def test_what_sbatch_says_is_passed_on(programs: Program) -> None:
    programs("sinfo", "exit 1")
    programs("sbatch", "echo \"sbatch: unrecognized option '--foo=1'\nTry 'sbatch --help'\" >&2; exit 255")
    with pytest.raises(HarnessError) as raised:
        check_options(parse_options("foo=1"), 3)
    assert (
        str(raised.value)
        == "--on slurm: Slurm does not take 3 jobs with signal=TERM@120 foo=1: unrecognized option '--foo=1'"
    )


def test_what_sbatch_takes_is_right(programs: Program) -> None:
    programs("sinfo", "echo gpu")
    programs("sbatch", '[ "$*" = "--test-only --array=0-1 --output=/dev/null --wrap=true --signal=TERM@120 --time=5" ]')
    check_options(parse_options("time=5"), 2)
