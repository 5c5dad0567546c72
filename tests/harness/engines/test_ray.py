"""Studies on a Ray cluster: two nodes in one machine, which are lost, join, differ and fail."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import provenance, run_study
from harness.engines.device import SHARED_BY, memory, threads
from harness.engines.engine import Progress
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.ray import cluster as ray_cluster
from harness.engines.ray import slots as ray_slots
from harness.engines.ray.cluster import Cluster, Node, connected
from harness.engines.ray.packs import Packs
from harness.engines.ray.worker import Inputs, Worker
from harness.engines.result import TrialResult
from harness.errors import HarnessError
from harness.progress.displays import Display
from harness.study.study import Study
from harness.study.trials import Trial, expand
from tests.harness.runs.test_runner import predictions, records
from tests.ray_nodes import add_node, lose, two_nodes

Tiny = Callable[..., Study]
# What Ray leaves behind: processes that it does not wait for, and their files and sockets.
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed (file|socket):ResourceWarning"),
]
LONG = ("arms={full: {}}", "analysis={}", "training.num_train_epochs=4", "training.per_device_train_batch_size=4")


class Watcher(Display):
    """Remembers what a run told, and does something when a trial has got on."""

    def __init__(self, after_an_epoch: Callable[[Progress], None] = lambda _: None) -> None:
        self.messages: list[str] = []
        self.steps: list[Progress] = []
        self.outcomes: list[TrialResult] = []
        self._after_an_epoch = after_an_epoch

    def say(self, text: str) -> None:
        self.messages.append(text)

    def step(self, progress: Progress) -> None:
        self.steps.append(progress)
        if progress.epoch >= 2:
            then, self._after_an_epoch = self._after_an_epoch, lambda _: None
            then(progress)

    def outcome(self, outcome: TrialResult) -> None:
        self.outcomes.append(outcome)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine the time that it needs: to be asked whether it is there, Ray loads itself."""
    monkeypatch.setattr(ray_cluster, "_SECONDS_TO_ANSWER", 180.0)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head that trains nothing, and two nodes with a core each."""
    with two_nodes() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def undisturbed(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The predictions of the long study, trained in this process without a break."""
    return locally(tiny(*LONG), tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def cluster(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(ray_slots, "_SECONDS_BETWEEN_LOOKS", 0.5)
    with connected(nodes.address) as cluster:
        yield cluster


@pytest.fixture
def go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let workers stand still after two epochs until this file is there, or they are to stop: none is too fast."""
    path = tmp_path / "go on"

    class StandsStill(Worker):
        def _report(self, progress: Progress) -> None:
            super()._report(progress)
            while progress.epoch >= 2 and not path.exists() and not self._stop.is_set():
                time.sleep(0.02)

    monkeypatch.setattr(ray_slots, "Worker", StandsStill)
    return path


def locally(study: Study, root: Path) -> dict[str, bytes]:
    """The predictions of an undisturbed run in this process, with as many threads as a node has cores."""
    with threads(1):
        return predictions(run_study(study, root).folder)


def test_a_study_ends_with_the_bytes_of_a_local_run(tmp_path: Path, tiny: Tiny, cluster: Cluster) -> None:
    study = tiny("seeds=3")
    watcher = Watcher()
    summary = run_study(study, tmp_path / "ray", cluster=cluster, display=watcher)
    assert (summary.complete, summary.ran) == (True, 9)
    assert predictions(summary.folder) == locally(study, tmp_path / "local")
    # The first to be ready may have trained all before the other was.
    assert {node.name for node in cluster.nodes()} >= {progress.node for progress in watcher.steps} > set()
    of_local = records(tmp_path / "local" / "tiny")
    for trial, record in records(summary.folder).items():
        assert record["provenance"]["node"] == of_local[trial]["provenance"]["node"]
        assert (record["engine"], record["pack_size"]) == ("packed", of_local[trial]["pack_size"])
        assert record["device"] == of_local[trial]["device"]
    assert list((summary.folder / "packs").glob("*")) == []


def test_a_lost_node_s_pack_goes_on_at_one_that_has_joined(
    tmp_path: Path, tiny: Tiny, nodes: Any, cluster: Cluster, undisturbed: dict[str, bytes], go_on: Path
) -> None:
    def lose_all(progress: Progress) -> None:
        for node in list(nodes.worker_nodes):
            lose(nodes, node)
        add_node(nodes)
        add_node(nodes)
        go_on.touch()

    watcher = Watcher(lose_all)
    study = tiny(*LONG)
    summary = run_study(study, tmp_path / "ray", cluster=cluster, display=watcher)
    assert summary.complete
    first, last = watcher.steps[0], watcher.steps[-1]
    assert first.node != last.node
    assert last.began > 0  # from the last epoch whose state had reached this process
    # Twice where it went to the other lost node, of which nobody knew yet.
    lost = [text for text in watcher.messages if "was lost with 2 trials, which go on elsewhere" in text]
    assert 1 <= len(lost) <= 2
    assert lost[0].startswith(first.node)
    assert predictions(summary.folder) == undisturbed


@pytest.mark.usefixtures("go_on")
def test_the_first_signal_ends_a_pack_with_its_epoch_and_a_local_run_goes_on(
    tmp_path: Path, tiny: Tiny, cluster: Cluster, undisturbed: dict[str, bytes]
) -> None:
    study = tiny(*LONG)
    watcher = Watcher(lambda _: os.kill(os.getpid(), signal.SIGTERM))
    summary = run_study(study, tmp_path / "ray", cluster=cluster, display=watcher)
    assert (summary.stopped_by, summary.statuses) == ("SIGTERM", {"missing": 2})
    assert len(list((summary.folder / "packs").glob("*.pt"))) == 1
    watcher = Watcher()
    with threads(1):
        assert run_study(study, tmp_path / "ray", display=watcher).complete
    assert watcher.steps[0].began > 0
    assert predictions(summary.folder) == undisturbed


def test_a_trial_that_breaks_and_a_pack_that_kills_leave_the_others_alone(
    tmp_path: Path, tiny: Tiny, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Worker):
        """Does not see the driver's files, cannot build one trial, and dies of the trials of one arm."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._files = tmp_path / "node"

        def _find(self, inputs: Inputs, name: str) -> Path | None:
            return super()._find(replace(inputs, checkpoint=replace(inputs.checkpoint, weights=None)), name)

        def open(self, inputs: Inputs, *received: None) -> None:
            super().open(inputs, *received)
            build = self._engine.reference.build

            def breaks(trial: Trial) -> Any:
                if (trial.arm, trial.seed) == ("lora-r4", 1):
                    raise ValueError("this one breaks")
                return build(trial)

            self._engine.reference.build = breaks

        def train(self, pack: Sequence[Trial], *more: Any) -> Iterator[Any]:
            if pack[0].arm == "full":
                os._exit(1)
            yield from super().train(pack, *more)

    monkeypatch.setattr(ray_slots, "Worker", Broken)
    watcher = Watcher()
    summary = run_study(tiny(), tmp_path / "ray", cluster=cluster, display=watcher)
    assert summary.statuses == {"finished": 3, "failed": 3}
    broken = {trial: record["error"] for trial, record in records(summary.folder).items() if record["error"]}
    assert broken.keys() == {("full", 0), ("full", 1), ("lora-r4", 1)}
    assert broken["lora-r4", 1] == {"type": "ValueError", "message": "this one breaks"}
    assert broken["full", 0]["type"] == "WorkerDiedError"
    assert any(node.name in broken["full", 0]["message"] for node in cluster.nodes())
    assert broken["full", 0]["message"].startswith("3 workers died with it, the last on ")
    assert [path.name for path in (tmp_path / "node").glob("*/*")] == ["model.safetensors"]


def test_a_node_with_other_code_is_refused_by_name(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "code", lambda: ("9.9", None))
    with pytest.raises(HarnessError) as refused, connected(nodes.address):
        pass
    message = str(refused.value)
    assert message.count("and here is ablation-harness 9.9") == 2
    for node in nodes.worker_nodes:
        assert f"({node.node_id[:6]}): it has ablation-harness {provenance.version('ablation-harness')}" in message


def test_a_node_that_is_lost_while_a_run_begins_does_not_stop_it(cluster: Cluster) -> None:
    lost = Node(id="1" * 56, name="lost", cpus=1, gpus=0)
    assert cluster.unfit([*cluster.nodes(), lost]) == {}


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("dask", "got 'dask'"),
        ("ray:", "got 'ray:'"),
        ("ray:head", "expected ray, ray:auto, or ray:HOST:PORT"),
        ("ray:ray://head:10001", "expected ray, ray:auto, or ray:HOST:PORT"),
        ("ray:127.0.0.1:9", "nothing answers at 127.0.0.1:9"),
    ],
)
def test_an_address_without_a_cluster_is_one_message(
    on: str, said: str, command: Callable[..., tuple[int, str, str]], tiny_file: Path
) -> None:
    pytest.importorskip("ray")
    code, _, complaint = command("run", tiny_file, "--on", on)
    assert code == 2
    assert said in complaint
    assert len(complaint.splitlines()) == 1


def test_what_is_no_head_is_refused_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_cluster, "_SECONDS_TO_ANSWER", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with (
            pytest.raises(HarnessError, match=f"what answers at {address} is no head of a cluster"),
            connected(address),
        ):
            pass


def test_without_ray_the_extra_is_named(
    command: Callable[..., tuple[int, str, str]], tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, complaint = command("run", tiny_file, "--on", "ray")
    assert code == 2
    assert "Ray is not installed; it comes with the extra ray" in complaint


def trials_of(study: Study) -> tuple[Trial, ...]:
    return expand(study, arms=study.arms, model="m", data="d")


def cut(packs: Packs, size: int) -> list[list[str]]:
    taken = []
    while waiting := packs.waiting():
        taken.append([f"{trial.arm} {trial.seed}" for trial in packs.take(waiting[0], size).trials])
    return taken


def test_packs_are_cut_by_the_node_and_in_the_order_of_the_study(tmp_path: Path, tiny: Tiny) -> None:
    trials = trials_of(tiny("seeds=3"))
    done = {trial.key for trial in trials if trial.arm == "full" and trial.seed < 2}
    assert cut(Packs(trials, done, tmp_path), 2) == [
        ["full 2"],  # the first two are done, and were a pack of their own
        ["lora-r2 0", "lora-r4 0"],
        ["lora-r2 1", "lora-r4 1"],
        ["lora-r2 2", "lora-r4 2"],
    ]


def test_a_saved_pack_is_cut_as_it_was_whatever_the_node(tmp_path: Path, tiny: Tiny) -> None:
    trials = trials_of(tiny("seeds=3"))
    pack = [trial for trial in trials if trial.arm == "full" and trial.seed > 0]
    SavedPack(tmp_path, pack, print).save({"keys": [trial.key for trial in pack]})
    packs = Packs(trials, {pack[0].key}, tmp_path)
    assert cut(packs, 1)[:2] == [["full 1", "full 2"], ["full 0"]]


def test_of_a_pack_that_was_halved_the_halves_come_back(tmp_path: Path, tiny: Tiny) -> None:
    trials = [trial for trial in trials_of(tiny("seeds=4")) if trial.arm == "full"]
    packs = Packs(trials, set(), tmp_path)
    pack = packs.take(packs.waiting()[0], 4)
    half = pack.trials[2:]
    SavedPack(tmp_path, half, print).save({"keys": [trial.key for trial in half]})
    pack.deaths = 2
    packs.give_back(pack)
    assert cut(packs, 4) == [["full 2", "full 3"], ["full 0", "full 1"]]


def test_what_others_have_claimed_is_left_to_them_and_nothing_is_claimed_twice(tmp_path: Path, tiny: Tiny) -> None:
    trials = [trial for trial in trials_of(tiny("seeds=4")) if trial.arm == "full"]
    asked: list[int] = []

    def claim(wanted: Sequence[Trial]) -> Sequence[Trial]:
        asked.append(len(wanted))
        return [trial for trial in wanted if trial.seed != 1]

    packs = Packs(trials, {trials[0].key}, tmp_path, claim)
    pack = packs.take(packs.waiting()[0], 3)
    assert [trial.seed for trial in packs.left(pack)] == [2]
    packs.give_back(pack)
    assert [trial.seed for trial in packs.left(packs.take(packs.waiting()[0], 3))] == [2]
    assert asked == [2]


def test_workers_of_a_node_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory(torch.device("cpu"))
    monkeypatch.setenv(SHARED_BY, "4")
    assert memory(torch.device("cpu")) == whole // 4
