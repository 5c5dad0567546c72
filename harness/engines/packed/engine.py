"""Packed engine: trains a study's trials in packs, and hands those that cannot be packed to the reference engine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from harness.data.tokenization import TokenizedDataset, TokenizedSplit
from harness.data.training_set import training_set
from harness.engines.device import memory, precision, threads, usual_device
from harness.engines.engine import Claim, Engine, ReportProgress, claim_all
from harness.engines.packed.cost import bytes_of_pack, bytes_of_trial, seconds_of_trial
from harness.engines.packed.logit_check import LogitsDifferError
from harness.engines.packed.pack import Pack
from harness.engines.packed.packability import obstacle
from harness.engines.packed.packs import PackKey, divide_into_packs, halves
from harness.engines.packed.ragged import PackData, RaggedSplit
from harness.engines.packed.saved_pack import SavedPack, discard_recorded
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import Failure, TrialResult
from harness.engines.trainer import TrainerEngine
from harness.models import checkpoints
from harness.models.build import build_outline
from harness.study.settings import Data
from harness.study.trials import Trial

# Elements of a hidden state that are computed together. A CPU is fastest where they fit its cache.
_ELEMENTS_AT_ONCE = {"cpu": 1 << 19, "cuda": 1 << 25}
_LARGEST_PACK = {"cpu": 16, "cuda": 64}
# Bytes of what a pack trains. More gains nothing on a CPU, and a pack is written to disk after every epoch.
_LARGEST_TRAINED = {"cpu": 1536 << 20, "cuda": 64 << 30}
_SHARE_OF_MEMORY = 0.5


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call of `train` asks for: where to report, what is done already, when to stop, and what is free."""

    report: ReportProgress
    done: Container[str]
    stop: Callable[[], bool]
    claim: Claim


class PackedEngine(Engine):
    """Trains trials in packs, and hands those that cannot be packed to the reference engine.

    Parameters
    ----------
    checkpoint, data, data_settings, pad_token_id
        See `TrainerEngine`.
    folder : Path, optional
        Where a pack is saved between two processes; default nowhere.
    say : callable, optional
        Tells what a user should know, such as a pack that became smaller.
    """

    name = "packed"

    def __init__(
        self,
        checkpoint: checkpoints.Checkpoint,
        data: TokenizedDataset,
        data_settings: Data,
        pad_token_id: int,
        *,
        folder: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.reference = TrainerEngine(checkpoint, data, data_settings, pad_token_id)
        self._checkpoint = checkpoint
        self._data = data
        self._data_settings = data_settings
        self._folder = folder
        self._say = say
        self._device = usual_device()
        # A pack gives every thread trials of its own, so even tiny models use two. A trial alone is computed with as
        # many as by the reference.
        self._threads = max(self.reference.threads, min(2, torch.get_num_threads()))
        self._test = self._ragged(data.test)
        self._splits: dict[float | None, PackData] = {}
        self._pool: PackData | None = None
        self._obstacles: dict[PackKey, str | None] = {}
        self._arms: dict[PackKey, dict[str, None]] = {}
        # Of these it was said that they step aside.
        self._told: set[PackKey] = set()
        self._sizes: dict[PackKey, int] = {}

    def train(
        self,
        trials: Sequence[Trial],
        *,
        report: ReportProgress,
        done: Container[str] = frozenset(),
        stop: Callable[[], bool] = lambda: False,
        claim: Claim = claim_all,
    ) -> Iterator[TrialResult]:
        """Train the trials that are not done, pack by pack."""
        if self._folder is not None:
            discard_recorded(self._folder, done)
        # To size a pack takes a model, so only keys that still have something to train are divided into packs.
        wanted = {PackKey.of(trial) for trial in trials if trial.key not in done}
        for trial in trials:
            self._arms.setdefault(PackKey.of(trial), {})[trial.arm] = None
        for pack in divide_into_packs([trial for trial in trials if PackKey.of(trial) in wanted], self.size):
            if stop():
                return
            yield from self._train(pack, _Call(report, done, stop, claim))

    def _train(self, pack: tuple[Trial, ...], call: _Call) -> Iterator[TrialResult]:
        """Train one pack, or what is left of it in smaller ones."""
        wanted = [trial for trial in pack if trial.key not in call.done]
        if not wanted:
            return
        if (obstacle := self._obstacle(pack[0])) is not None:
            self._step_aside(pack[0], obstacle)
            yield from self.reference.train(wanted, report=call.report, stop=call.stop, claim=call.claim)
            return
        if len(pack) > 1 and len(pack) > self.size(pack[0]):
            for half in halves(pack):
                yield from self._train(half, call)
            return
        wanted = list(call.claim(wanted))
        if not wanted:
            return
        saved = SavedPack(self._folder, pack, self._say)
        members = saved.members(pack, wanted)
        left = {trial.key: trial for trial in wanted}
        if len(members) > 1:
            arms = ", ".join(dict.fromkeys(trial.arm for trial in members))
            self._say(f"training {len(members)} trials at once: {arms}")
        try:
            for result in self._results(members, saved, call):
                if left.pop(result.trial.key, None) is not None:
                    yield result
        except KeyboardInterrupt as reason:
            error = Failure.interrupted(reason)
            for trial in left.values():
                yield TrialResult(trial=trial, status="interrupted", error=error, engine=self.name)
            return
        except LogitsDifferError as reason:
            self._leave_to_reference(pack[0], reason)
            yield from self.reference.train(tuple(left.values()), report=call.report, stop=call.stop)
            return
        except Exception as reason:  # whatever breaks a pack, its trials get another chance in smaller ones
            broken = reason.with_traceback(None)  # a traceback would hold on to the pack
        else:
            if not any(trial.key in left for trial in members):
                saved.discard()
                # A trial may be wanted again after its pack was saved without it: its record was taken away.
                yield from self._train(tuple(left.values()), call)
            return
        saved.discard()
        yield from self._train_smaller(tuple(left.values()), broken, call)

    def _results(self, members: Sequence[Trial], saved: SavedPack, call: _Call) -> Iterator[TrialResult]:
        """Train one pack with its number of threads, and leave torch's alone in between."""
        number = self.reference.threads if len(members) == 1 else self._threads
        with threads(number):
            memory_of_pack = PeakMemory(self._device)
            training = PackTraining(self._pack(members), saved, memory_of_pack)
            results = training.results(report=call.report, stop=call.stop)
        while True:
            with threads(number), precision(members[0].settings.training):
                result = next(results, None)
            if result is None:
                return
            yield result

    def _train_smaller(self, pack: tuple[Trial, ...], reason: Exception, call: _Call) -> Iterator[TrialResult]:
        """Train what a broken pack left in two halves; a single trial by the reference engine."""
        error = f"{type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else ''}"
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if len(pack) == 1:
            trial = pack[0]
            self._say(f"{trial.arm}, seed {trial.seed}: cannot be packed ({error}); trained by the reference engine")
            yield from self.reference.train(pack, report=call.report, stop=call.stop)
            return
        if _out_of_memory(reason):
            self._sizes[PackKey.of(pack[0])] = len(pack) // 2
        self._say(f"a pack of {len(pack)} trials broke ({error}); going on with smaller packs")
        for half in halves(pack):
            yield from self._train(half, call)

    def _step_aside(self, trial: Trial, obstacle: str) -> None:
        """Say once of each kind of trial why it is trained alone."""
        key = PackKey.of(trial)
        if key not in self._told:
            self._told.add(key)
            arms = ", ".join(self._arms[key])
            self._say(f"{arms}: the packed engine steps aside, and one trial trains at a time: {obstacle}")

    def estimate(self, trial: Trial) -> float:
        """Return the seconds that the trial would take, from a few training steps and one block of scoring."""
        if self._obstacle(trial) is not None:
            return self.reference.estimate(trial)
        try:
            with threads(self._threads):
                return seconds_of_trial(self._pack((trial, trial)))
        except LogitsDifferError as reason:
            self._leave_to_reference(trial, reason)
            return self.reference.estimate(trial)

    def _pack(self, members: Sequence[Trial]) -> Pack:
        return Pack(
            members,
            self.reference.build,
            self._data_of(members),
            self._device,
            elements_at_once=_ELEMENTS_AT_ONCE[self._device.type],
        )

    def _data_of(self, members: Sequence[Trial]) -> PackData:
        """Return what trials of one key are trained and scored on, on the device."""
        trial, train = members[0], self._data.train
        if trial.resample is not None:
            if self._pool is None:
                self._pool = PackData(train=self._ragged(train), test=self._test, holdout=None)
            return replace(self._pool, own=tuple(training_set(member, len(train)) for member in members))
        fraction = trial.holdout.fraction if trial.holdout is not None else None
        if fraction not in self._splits:
            same = training_set(trial, len(train))
            self._splits[fraction] = PackData(
                train=self._ragged(train.take(same.kept)),
                test=self._test,
                holdout=None if same.held is None else self._ragged(train.take(same.held)),
            )
        return self._splits[fraction]

    def _ragged(self, split: TokenizedSplit) -> RaggedSplit:
        data = self._data_settings
        # On the left, only padding to a fixed length is packed.
        return RaggedSplit(split, self._device, left_padded_to=data.max_length if data.padding_side == "left" else None)

    def _obstacle(self, trial: Trial) -> str | None:
        """Return why the trial cannot be packed, or None."""
        key = PackKey.of(trial)
        if key not in self._obstacles:
            model = build_outline(self._checkpoint, trial.settings, n_classes=len(self._data.classes))
            self._obstacles[key] = obstacle(model, trial, self._data_settings)
        return self._obstacles[key]

    def _leave_to_reference(self, trial: Trial, reason: LogitsDifferError) -> None:
        """Leave all trials of this one's key to the reference engine."""
        self._obstacles[PackKey.of(trial)] = str(reason)
        self._told.add(PackKey.of(trial))
        self._say(f"{trial.arm}: cannot be packed ({reason}); trained by the reference engine")

    def size(self, trial: Trial) -> int:
        """Return how many trials of this one's key make a pack: by memory, the same on every run on this machine."""
        key = PackKey.of(trial)
        if key not in self._sizes:
            self._sizes[key] = 1 if self._obstacle(trial) is not None else self._fitting(trial)
        return self._sizes[key]

    def _fitting(self, trial: Trial) -> int:
        try:
            with threads(self._threads):
                pack = self._pack((trial,))
                trained, common = bytes_of_trial(pack), bytes_of_pack(pack)
        except LogitsDifferError as reason:
            self._leave_to_reference(trial, reason)
            return 1
        except Exception:  # what breaks here breaks the trial too, and its result will tell
            return 1
        kind = self._device.type
        each = trained + pack.frozen_bytes_of_trial
        fitting = int((_SHARE_OF_MEMORY * memory(self._device) - common) / each)
        return max(1, min(_LARGEST_PACK[kind], _LARGEST_TRAINED[kind] // trained, fitting))


def _out_of_memory(reason: Exception) -> bool:
    if isinstance(reason, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(reason, RuntimeError) and "allocate memory" in str(reason)
