"""Ray engine: trains packs on the nodes of a cluster; the process that runs it is the only one that writes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.atomic_file import atomic_write
from harness.data.tokenization import TokenizedDataset
from harness.engines.device import is_small
from harness.engines.engine import Claim, Engine, Progress, ReportProgress, claim_all
from harness.engines.packed.packs import PackKey
from harness.engines.packed.saved_pack import discard_recorded
from harness.engines.ray.cluster import Cluster
from harness.engines.ray.packs import Pack, Packs
from harness.engines.ray.slots import Slot, Slots
from harness.engines.ray.worker import LARGEST_STATE, Event, Inputs, Said, State, sha256
from harness.engines.result import Failure, TrialResult
from harness.errors import HarnessError, one_line
from harness.models import build
from harness.models.checkpoints import Checkpoint
from harness.study.settings import Arm, Data
from harness.study.trials import Trial

# A pack whose workers die so often without an epoch in between would kill every other one too.
_MOST_DEATHS = 3
# How long an outcome may wait, and how often is asked whether to stop.
_SECONDS_OF_WAITING = 0.2
# How long a run waits for a node where it has none.
_SECONDS_WITHOUT_NODE = 120.0
# A worker that may begin does so much sooner.
_SECONDS_OF_BEGINNING = 60.0


class RayEngine(Engine):
    """Trains packs on the nodes of a cluster, each with an engine of its own.

    Parameters
    ----------
    cluster : Cluster
        From `connected`.
    checkpoint, data, data_settings, pad_token_id
        See `TrainerEngine`.
    engine : str
        What trains on the nodes: ``packed`` or ``trainer``.
    folder : Path
        Where the packs that are trained are saved, as by a local run.
    say : callable, optional
        Tells what a user should know, such as a node that was lost.
    """

    name = "ray"

    def __init__(
        self,
        cluster: Cluster,
        checkpoint: Checkpoint,
        data: TokenizedDataset,
        data_settings: Data,
        pad_token_id: int,
        *,
        engine: str = "packed",
        folder: Path,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._say = say
        self._engine = engine
        files = {path.name: path for path in checkpoint.weights or ()}
        inputs = Inputs(
            checkpoint=checkpoint,
            weights={name: digest for name, path in files.items() if (digest := sha256(path)) is not None},
            data=data,
            data_settings=data_settings,
            pad_token_id=pad_token_id,
            engine=engine,
        )
        small = is_small(build.parameter_counts(checkpoint, Arm(), n_classes=len(data.classes)).total)
        self._slots = Slots(cluster, inputs, files, small=small, say=say)
        self._told: set[str] = set()

    def estimate(self, trial: Trial) -> float:  # noqa: ARG002
        """Return NaN: it depends on the node that will train it."""
        return math.nan

    def train(
        self,
        trials: Sequence[Trial],
        *,
        report: ReportProgress,
        done: Container[str] = frozenset(),
        stop: Callable[[], bool] = lambda: False,
        claim: Claim = claim_all,
    ) -> Iterator[TrialResult]:
        """Train the trials that are not done, as many packs at once as the cluster has slots."""
        discard_recorded(self._folder, done)
        ended = {trial.key for trial in trials if trial.key in done}
        packs = Packs(trials, ended, self._folder, claim)
        try:
            for outcome in self._outcomes(packs, report, stop):
                ended.add(outcome.trial.key)
                yield outcome
        except KeyboardInterrupt as reason:
            error = Failure.interrupted(reason)
            for _, pack in self._slots.busy():
                for trial in packs.left(pack):
                    yield TrialResult(trial=trial, status="interrupted", error=error, engine=self._engine)
        finally:
            # Whoever asks for no more outcomes wants no more training.
            for slot, _ in self._slots.busy():
                self._slots.drop(slot)

    def _outcomes(self, packs: Packs, report: ReportProgress, stop: Callable[[], bool]) -> Iterator[TrialResult]:
        import ray

        stopping = False
        began = seen = time.monotonic()
        while True:
            if not stopping and stop():
                stopping = True
                for slot, _ in self._slots.busy():
                    slot.worker.stop.remote()
            if (stopping or not packs.waiting()) and not self._slots.busy():
                return
            self._slots.look()
            if self._slots:
                seen = time.monotonic()
            elif time.monotonic() - seen > _SECONDS_WITHOUT_NODE:
                raise HarnessError(
                    f"--on ray: no node of the cluster could train for {_SECONDS_WITHOUT_NODE:.0f} s; what finished is "
                    "stored, and the same command goes on"
                )
            if time.monotonic() - began > _SECONDS_OF_BEGINNING and not any(slot.began for slot in self._slots):
                self._say_once("waiting for the cluster: no worker has begun; does other work hold its cores or GPUs?")
            if not stopping:
                for slot in self._slots:
                    if slot.awaits is None:
                        self._give(slot, packs)
            awaited = {slot.awaits: slot for slot in self._slots if slot.awaits is not None}
            if not awaited:
                time.sleep(_SECONDS_OF_WAITING)
                continue
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=_SECONDS_OF_WAITING)
            for one in ready:
                yield from self._advance(awaited[one], packs, report)

    def _advance(self, slot: Slot, packs: Packs, report: ReportProgress) -> Iterator[TrialResult]:
        """Take what a slot's worker has sent."""
        import ray

        try:
            if slot.pack is None:
                answer, then = ray.get(slot.awaits), slot.then
                slot.awaits = slot.then = None
                if then is not None:
                    then(answer)
                return
            events = ray.get(next(slot.awaits))
        except StopIteration:
            pack, slot.pack, slot.awaits = slot.pack, None, None
            # Where it was stopped, its state stays for the next run.
            if pack is not None and not packs.left(pack):
                (self._folder / pack.file).unlink(missing_ok=True)
            return
        except ray.exceptions.RayError as error:
            yield from self._lose(slot, packs, error)
            return
        for event in events:
            if isinstance(event, TrialResult):
                # A trial may have been trained again, because a record was taken away from its saved pack.
                if any(trial.key == event.trial.key for trial in packs.left(slot.pack)):
                    yield event
            else:
                self._take(event, slot, report)

    def _take(self, event: Event, slot: Slot, report: ReportProgress) -> None:
        if isinstance(event, Progress):
            report(replace(event, node=slot.name))
        elif isinstance(event, Said):
            self._say(f"{slot.name}: {event.text}")
        elif isinstance(event, State):
            if slot.pack is not None:
                slot.pack.deaths = 0
            self._keep(event)

    def _keep(self, state: State) -> None:
        """Keep the state of a pack as its node does, so that another can go on from it, and the next run too."""
        path = self._folder / state.file
        try:
            if state.content is not None:
                with atomic_write(path) as stream:
                    stream.write(state.content)
                return
            path.unlink(missing_ok=True)
        except OSError as error:
            self._say_once(f"{path} cannot be written: {error.strerror}; if its node is lost, this pack starts anew")
        if state.size:
            self._say_once(
                f"packs whose state is larger than {LARGEST_STATE >> 20} MiB (here {state.size >> 20} MiB) stay on "
                "their nodes: if the run or a node ends early, they start anew"
            )

    def _lose(self, slot: Slot, packs: Packs, error: Exception) -> Iterator[TrialResult]:
        """Go on without a worker: another one gets its pack, unless too many have died with it."""
        reason = one_line(error)
        self._slots.drop(slot)
        if slot.pack is None:
            self._slots.could_not_begin(slot, reason)
            return
        pack, slot.pack = slot.pack, None
        pack.deaths += 1
        left = packs.left(pack)
        if pack.deaths < _MOST_DEATHS:
            self._say(f"{slot.name} was lost with {len(left)} trials, which go on elsewhere ({reason})")
            packs.give_back(pack)
            return
        (self._folder / pack.file).unlink(missing_ok=True)
        message = f"{_MOST_DEATHS} workers died with it, the last on {slot.name}: {reason}"
        for trial in left:
            failure = Failure(type="WorkerDiedError", message=message)
            yield TrialResult(trial=trial, status="failed", error=failure, engine=self._engine, pack_size=len(left))

    def _give(self, slot: Slot, packs: Packs) -> None:
        """Give an idle slot the next pack, once it has said how many of these trials it takes."""
        for trials in packs.waiting():
            key, least = PackKey.of(trials[0]), len(trials) if packs.is_cut(trials) else 1
            size = 1 if len(trials) == 1 else slot.sizes.get(key)
            if size is None:
                slot.awaits = slot.worker.size.remote(trials[0])
                slot.then = lambda size, key=key: slot.sizes.update({key: size})
                return
            # A pack that was cut for a larger device waits for one; where there is none, the worker cuts it again.
            if least <= size or all(other.sizes.get(key, least) < least for other in self._slots if other is not slot):
                pack = packs.take(trials, size)
                if packs.left(pack):
                    self._start(slot, packs, pack)
                    return

    def _start(self, slot: Slot, packs: Packs, pack: Pack) -> None:
        done = {trial.key for trial in pack.trials} - {trial.key for trial in packs.left(pack)}
        saved = self._folder / pack.file
        states = {pack.file: saved.read_bytes()} if saved.exists() else {}
        slot.pack = pack
        slot.awaits = slot.worker.train.options(num_returns="streaming").remote(pack.trials, done, states)

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)
