"""Small checkpoints of every architecture that can be packed, and both engines on one study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from harness.embedded import checkpoint
from harness.engines.packed.engine import PackedEngine
from harness.engines.packed.pack import Pack
from harness.engines.packed.saved_pack import SavedPack
from harness.engines.packed.training import PackTraining
from harness.engines.peak_memory import PeakMemory
from harness.engines.result import TrialResult
from harness.engines.study_trainer import StudyTrainer
from harness.engines.trainer import TrainerEngine
from harness.engines.trainer import _Run as TrainerRun
from harness.models.build import build_model
from harness.runs.runner import prepare
from harness.study.loading import load_study
from harness.study.study import Study
from harness.study.trials import Trial, expand

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
CONFIGS: dict[str, Callable[[int], Any]] = {
    "bert": lambda vocabulary: transformers.BertConfig(
        vocab_size=vocabulary, max_position_embeddings=128, pad_token_id=0, **SIZES
    ),
    "roberta": lambda vocabulary: transformers.RobertaConfig(
        vocab_size=vocabulary, max_position_embeddings=160, pad_token_id=0, type_vocab_size=1, **SIZES
    ),
    # Its embeddings are narrower than its layers.
    "electra": lambda vocabulary: transformers.ElectraConfig(
        vocab_size=vocabulary, max_position_embeddings=128, pad_token_id=0, embedding_size=24, **SIZES
    ),
    "distilbert": lambda vocabulary: transformers.DistilBertConfig(
        vocab_size=vocabulary, max_position_embeddings=128, dim=32, n_layers=3, n_heads=4, hidden_dim=48
    ),
    # Two of its layers attend no farther than four tokens, and its head reads the mean.
    "modernbert": lambda vocabulary: transformers.ModernBertConfig(
        vocab_size=vocabulary,
        local_attention=8,
        classifier_pooling="mean",
        **dict.fromkeys(("attention_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout"), 0.1),
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
        **SIZES,
    ),
    "gpt2": lambda vocabulary: transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=128, n_embd=32, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0
    ),
}
TARGETS = {
    "bert": ["query", "value"],
    "roberta": ["query", "value"],
    "electra": ["query", "value"],
    "distilbert": ["q_lin", "v_lin"],
    "modernbert": ["Wqkv", "mlp.Wo"],
    "gpt2": ["c_attn"],
}
STILL = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "seq_classif_dropout")
STILL_GPT2 = ("resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_first_dropout")
STILL_MODERNBERT = ("embedding_dropout", "mlp_dropout", "classifier_dropout")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a folder with a random checkpoint of an architecture, with dropout or without."""
    made: dict[tuple[str, bool], Path] = {}

    def make(kind: str, *, dropout: bool) -> Path:
        if (kind, dropout) in made:
            return made[kind, dropout]
        folder = tmp_path_factory.mktemp(f"{kind}-{'dropout' if dropout else 'still'}")
        tokens = checkpoint("embedded/tiny-gpt2" if kind == "gpt2" else "embedded/tiny-distilbert")
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            if (tokens / name).exists():
                shutil.copy(tokens / name, folder / name)
        vocabulary = json.loads((tokens / "config.json").read_text())["vocab_size"]
        config = CONFIGS[kind](vocabulary)
        for name in (*STILL, *STILL_GPT2, *STILL_MODERNBERT):
            if not dropout and hasattr(config, name):
                setattr(config, name, 0.0)
        with torch.random.fork_rng():
            torch.manual_seed(7)
            model = transformers.AutoModel.from_config(config)
            # As small as a library draws them, weights would hardly show a mistake in how they are used.
            for parameter in model.parameters():
                nn.init.normal_(parameter, 0.2 if parameter.dim() == 1 else 0.0, 0.2)
        model.save_pretrained(folder)
        made[kind, dropout] = folder
        return folder

    return make


STUDY = """\
name: packed
model: {model}
data: {{path: embedded/sentiment, train_size: {train}, test_size: 24}}
training: {{learning_rate: 2e-3, num_train_epochs: 3, per_device_train_batch_size: 8}}
arms:
{arms}
seeds: 2
timing: off
analysis: {{baseline: {baseline}}}
"""


@pytest.fixture
def study(tmp_path: Path, checkpoints: Callable[..., Path]) -> Callable[..., Study]:
    """Load a study of one architecture with the given arms, each a text in YAML; `change` alters its checkpoint.

    18 steps with a short last batch: 45 examples by 8, three times.
    """

    def load(
        kind: str,
        arms: dict[str, str],
        *overrides: str,
        dropout: bool = False,
        train: int = 45,
        change: Callable[[Path], None] | None = None,
    ) -> Study:
        lines = "\n".join(f"  {name}: {text}" for name, text in arms.items())
        path = tmp_path / "study.yaml"
        folder = checkpoints(kind, dropout=dropout)
        if change is not None:
            folder = Path(shutil.copytree(folder, tmp_path / "changed", dirs_exist_ok=True))
            change(folder)
        path.write_text(STUDY.format(model=folder, train=train, arms=lines, baseline=next(iter(arms))))
        return load_study(path, overrides)

    return load


@dataclass
class Trained:
    """What a trial was trained to: the loss of every optimizer step, its weights, its result."""

    losses: list[float] = field(default_factory=list)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    result: TrialResult | None = None


def expanded(study: Study) -> tuple[PackedEngine, tuple[Trial, ...]]:
    located, data, engine = prepare(study, "packed")
    assert isinstance(engine, PackedEngine)
    return engine, expand(study, arms=study.arms, model=located.identity, data=data.fingerprint)


@pytest.fixture
def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both engines train in double precision."""
    build = build_model
    monkeypatch.setattr("harness.models.build.build_model", lambda *a, **k: build(*a, **k).double())


@pytest.fixture
def by_trainer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Study], dict[str, Trained]]:
    """Train a study's trials by the reference engine, and look at every loss where it is computed."""

    def train(study: Study) -> dict[str, Trained]:
        located, data, engine = prepare(study, "trainer")
        assert isinstance(engine, TrainerEngine)
        trained: dict[str, Trained] = {}
        current = Trained()
        step, close = StudyTrainer.training_step, TrainerRun.close_epoch

        def watched_step(self: StudyTrainer, model: nn.Module, *inputs: Any, **kwargs: Any) -> torch.Tensor:
            loss = step(self, model, *inputs, **kwargs)
            current.losses.append(float(loss) * self.current_gradient_accumulation_steps)
            return loss

        def watched_close(self: TrainerRun, model: nn.Module, *rest: Any) -> None:
            current.weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
            close(self, model, *rest)

        monkeypatch.setattr(StudyTrainer, "training_step", watched_step)
        monkeypatch.setattr(TrainerRun, "close_epoch", watched_close)
        for trial in expand(study, arms=study.arms, model=located.identity, data=data.fingerprint):
            current = Trained()
            (current.result,) = engine.train([trial], report=lambda _: None)
            trained[f"{trial.arm} {trial.seed}"] = current
        return trained

    return train


@pytest.fixture
def by_pack(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Trained]]:
    """Train trials as one pack, and look at the sum of every trial's micro-batch losses of each step."""

    def train(study: Study, choose: Callable[[Sequence[Trial]], Sequence[Trial]] = tuple) -> dict[str, Trained]:
        engine, trials = expanded(study)
        members = choose(trials)
        trained = {f"{trial.arm} {trial.seed}": Trained() for trial in members}
        compute = Pack.compute_gradients

        def watched(self: Pack, part: list[int], *rest: Any) -> torch.Tensor:
            losses = compute(self, part, *rest)
            for slot, loss in zip(part, losses.tolist(), strict=True):
                trial = self.trials[slot].trial
                trained[f"{trial.arm} {trial.seed}"].losses.append(loss)
            return losses

        monkeypatch.setattr(Pack, "compute_gradients", watched)
        pack = engine._pack(members)
        training = PackTraining(pack, SavedPack(None, members, print), PeakMemory(pack.device))
        for result in training.results(report=lambda _: None, stop=lambda: False):
            trained[f"{result.trial.arm} {result.trial.seed}"].result = result
        for slot, packed in enumerate(pack.trials):
            weights = {name: stack.weights[slot].clone() for name, stack in pack.parameters.stacks.items()}
            trained[f"{packed.trial.arm} {packed.trial.seed}"].weights = weights
        monkeypatch.setattr(Pack, "compute_gradients", compute)
        return trained

    return train
