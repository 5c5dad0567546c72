"""Saved packs: a run that was stopped or killed resumes from its last epoch, and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import run_study
from harness.cli.ending import ending, kept_work
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.result import TrialResult
from harness.records.workers import join
from harness.runs.run import RunSummary
from harness.study.study import Study
from tests.harness.engines.packed.watching import Watcher, engines, kept
from tests.harness.runs.test_runner import go_on, in_the_middle, predictions, read_until, records

Tiny = Callable[..., Study]
Load = Callable[..., Study]
TWO_EPOCHS = ("training.num_train_epochs=2",)


def interrupted_after(epochs: int, folder: Path, of_study: Study) -> list[str]:
    """Run a study and break off, as a kill would, when so many epochs of packs are kept; return what was trained."""
    save = SavedPack.save
    count = 0

    class Killed(BaseException):
        pass

    def counted(self: SavedPack, content: dict[str, Any]) -> None:
        nonlocal count
        save(self, content)
        count += 1
        if count == epochs:
            raise Killed

    watcher = Watcher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SavedPack, "save", counted)
        with pytest.raises(Killed):
            run_study(of_study, folder, display=watcher)
    return watcher.trained


@pytest.fixture(scope="module")
def of_two_packs(tiny: Tiny) -> Study:
    """Two packs: full for one and two epochs, LoRA for three."""
    return tiny(
        "arms={full: {}, more: {training: {num_train_epochs: 2}}, "
        "lora: {training: {num_train_epochs: 3}, adapter: {peft_type: LORA, target_modules: [c_attn]}}}",
    )


@pytest.fixture(scope="module")
def whole(of_two_packs: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their results, trained without a break."""
    return run_study(of_two_packs, tmp_path_factory.mktemp("whole")).folder


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_a_run_cut_short_after_any_epoch_ends_with_the_same_bytes(
    epochs: int, tmp_path: Path, of_two_packs: Study, whole: Path
) -> None:
    before = interrupted_after(epochs, tmp_path / "cut", of_two_packs)
    assert len(kept(tmp_path / "cut" / "tiny")) == 1
    watcher = Watcher()
    summary = run_study(of_two_packs, tmp_path / "cut", display=watcher)
    assert summary.complete
    assert sorted(before + watcher.trained) == sorted(f"{arm} {seed}" for arm in of_two_packs.arms for seed in (0, 1))
    assert kept(summary.folder) == []
    assert predictions(summary.folder) == predictions(whole)
    assert [record["epochs"] for record in records(summary.folder).values()] == [
        records(whole)[trial]["epochs"] for trial in records(summary.folder)
    ]


@pytest.mark.parametrize(
    "overrides",
    [
        ("arms={full: {}}", "data.padding=max_length", "data.padding_side=left", "data.max_length=24"),
        # Frozen weights of each trial's own, which no file holds.
        ("arms={lora: {adapter: {peft_type: LORA, target_modules: [c_attn], init_lora_weights: pissa_niter_2}}}",),
    ],
    ids=["padded on the left", "pissa"],
)
def test_what_is_not_saved_is_the_same_after_a_kill(tmp_path: Path, overrides: tuple[str, ...], tiny: Tiny) -> None:
    of_study = tiny(*TWO_EPOCHS, *overrides, "analysis={}")
    interrupted_after(1, tmp_path / "cut", of_study)
    assert len(kept(tmp_path / "cut" / "tiny")) == 1
    assert run_study(of_study, tmp_path / "cut").complete
    whole = run_study(of_study, tmp_path / "whole").folder
    assert predictions(tmp_path / "cut" / "tiny") == predictions(whole)


def test_a_pack_some_of_whose_records_are_written_goes_on_with_the_same_shapes(tmp_path: Path, tiny: Tiny) -> None:
    of_study = tiny(*TWO_EPOCHS, "arms={full: {}, longer: {training: {num_train_epochs: 4}}}")
    whole = run_study(of_study, tmp_path / "whole").folder

    class Dies(Watcher):
        def outcome(self, outcome: TrialResult) -> None:
            super().outcome(outcome)
            if len(self.trained) == 1:
                raise SystemExit

    watcher = Dies()
    with pytest.raises(SystemExit):
        run_study(of_study, tmp_path / "cut", display=watcher)
    assert watcher.trained == ["full 0"]
    summary = run_study(of_study, tmp_path / "cut")
    assert summary.complete
    assert predictions(summary.folder) == predictions(whole)
    assert {size for _, size in engines(summary.folder).values()} == {4}


def test_a_record_that_was_taken_away_from_a_kept_pack_is_trained_again(tmp_path: Path, tiny: Tiny) -> None:
    arms = "arms={full: {}, longer: {training: {num_train_epochs: 3}}}"
    folder = run_study(tiny(arms, "seeds=1"), tmp_path).folder
    interrupted_after(1, tmp_path, tiny(arms, "seeds=2"))  # seed 1 of both is kept after its first epoch
    (content,) = (torch.load(path, weights_only=True) for path in kept(folder))
    assert len(content["keys"]) == 2
    (lost,) = (path for path in folder.glob("trials/*/record.json") if json.loads(path.read_text())["arm"] == "full")
    shutil.rmtree(lost.parent)
    assert run_study(tiny(arms, "seeds=2"), tmp_path).complete
    assert kept(folder) == []
    assert engines(folder)["full", 0] == ("packed", 1)


def test_what_is_left_of_a_pack_that_was_recorded_in_whole_goes(tmp_path: Path, tiny: Tiny) -> None:
    of_study = tiny("arms={full: {}}", "analysis={}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SavedPack, "discard", lambda self: None)
        folder = run_study(of_study, tmp_path).folder
    assert len(kept(folder)) == 1
    assert run_study(of_study, tmp_path).ran == 0
    assert kept(folder) == []


def test_kill_9_in_the_middle_of_a_pack(tmp_path: Path, tiny: Tiny, tiny_file: Path) -> None:
    folder = tmp_path / "killed" / "tiny"
    long = ("seeds=2", "training.num_train_epochs=3", "arms={full: {}}", "analysis={}")
    with in_the_middle(tiny_file, tmp_path / "killed", *long) as process:
        process.send_signal(signal.SIGKILL)
    assert records(folder) == {}
    assert torch.load(kept(folder)[0], weights_only=True)["epochs"] == 1
    watcher = Watcher()
    assert run_study(tiny(*long), tmp_path / "killed", display=watcher).complete
    # Whole in this process: same machine, same number of threads.
    assert predictions(folder) == predictions(run_study(tiny(*long), tmp_path / "whole").folder)


def test_ctrl_c_once_ends_with_the_epoch_and_nothing_is_lost(tmp_path: Path, tiny_file: Path, tiny: Tiny) -> None:
    folder = tmp_path / "tiny"
    long = ("seeds=2", "training.num_train_epochs=3", "arms={full: {}}", "analysis={}")
    with in_the_middle(tiny_file, tmp_path, *long) as process:
        process.send_signal(signal.SIGINT)
        output = read_until("Ctrl-C: finishing the current epoch", process) + go_on(process)
    assert process.returncode == 1, output
    assert "2 missing\n2 trials will go on from the last epoch that ended\nTo continue: harness run" in output
    assert "Traceback" not in output
    assert records(folder) == {}
    assert torch.load(kept(folder)[0], weights_only=True)["epochs"] == 2


def test_only_what_a_run_itself_kept_is_said_to_go_on(tmp_path: Path, tiny: Tiny) -> None:
    interrupted_after(1, tmp_path, tiny(*TWO_EPOCHS, "arms={full: {}}", "analysis={}"))
    folder = tmp_path / "tiny"
    summary = RunSummary(folder=folder, statuses={"missing": 2}, waiting=0, ran=0, stopped_by="SIGTERM")
    line = "2 trials will go on from the last epoch that ended"
    assert line in ending(summary, "", "", before={}, until_decided=False)
    assert line not in ending(summary, "", "", before=kept_work(folder), until_decided=False)
    with join(folder, print):
        assert line not in ending(summary, "", "", before={}, until_decided=False)


def test_a_state_that_cannot_be_read_starts_the_pack_anew(tmp_path: Path, tiny: Tiny) -> None:
    of_study = tiny(*TWO_EPOCHS, "arms={full: {}}", "analysis={}")
    interrupted_after(1, tmp_path / "cut", of_study)
    whole = run_study(of_study, tmp_path / "whole").folder
    for number, damage in enumerate((b"", b"PK\x03\x04 torn", None)):
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "cut", root)
        (path,) = kept(root / "tiny")
        if damage is None:
            torch.save({"version": -1, "keys": []}, path)
        else:
            path.write_bytes(damage)
        assert run_study(of_study, root).complete, damage
        assert predictions(root / "tiny") == predictions(whole), damage


def test_a_full_disk_keeps_no_state_and_loses_no_trial(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    watcher = Watcher()
    summary = run_study(tiny(*TWO_EPOCHS, "arms={full: {}}", "analysis={}"), tmp_path, display=watcher)
    assert summary.complete
    assert sum("No space left" in message for message in watcher.messages) == 1
    assert kept(summary.folder) == []
