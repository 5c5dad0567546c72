"""A checkpoint's files: where they are, what is read of them, and what is refused before anything runs."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from harness import embedded
from harness.errors import HarnessError, ModelError
from harness.models import checkpoints
from harness.models.build import build_model, parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.runs import planning
from harness.runs.runner import prepare, run_study
from harness.seeding import streams
from harness.study.loading import load_study
from harness.study.settings import Arm
from harness.study.study import Study
from tests.harness.models.tiny_configs import BERT, GPT2


def rename(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Write a checkpoint's tensors anew, under other names or fewer of them."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, metadata={"format": "pt"})


def build(checkpoint: Checkpoint) -> Any:
    return build_model(checkpoint, Arm(), n_classes=2, pad_token_id=0, streams=streams(0))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("missing", "it has no weights, or they cannot be fetched; expected model.safetensors"),
        ("cut", "model.safetensors cannot be read"),
        ("garbage", "model.safetensors cannot be read: .*header"),
        ("pointer", "model.safetensors: a pointer of Git LFS.*git lfs pull"),
        ("piece", "index.json names files that are not there: model-00001-of-00001.safetensors"),
        ("path", r"index.json must name files beside it, got '\.\./model\.safetensors'"),
        ("index", "index.json cannot be read"),
    ],
)
def test_weights_that_cannot_be_read_are_refused(saved: Callable[..., Path], damage: str, words: str) -> None:
    folder = saved(GPT2)
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    file.unlink()
    content = {"cut": whole[: len(whole) // 2], "garbage": b"garbage"}
    content["pointer"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    if damage in content:
        file.write_bytes(content[damage])
    pieces = {"piece": "model-00001-of-00001.safetensors", "path": "../model.safetensors"}
    index = folder / "model.safetensors.index.json"
    if damage in pieces:
        index.write_text(json.dumps({"weight_map": {"wte.weight": pieces[damage]}}))
    if damage == "index":
        index.write_text('{"weight_map": 3}')
    with pytest.raises(ModelError, match=words):
        parameter_counts(checkpoints.find_checkpoint(str(folder)), Arm(), n_classes=2)


def test_weights_in_pieces_are_read(saved: Callable[..., Path]) -> None:
    folder = saved(GPT2)
    before = build(checkpoints.find_checkpoint(str(folder))).state_dict()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    pieces = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(sorted(tensors))}
    for piece in set(pieces.values()):
        save_file({name: tensors[name] for name in tensors if pieces[name] == piece}, folder / piece)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": pieces}))
    after = build(checkpoints.find_checkpoint(str(folder))).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


class _Harmless:
    """What a pickle would call: it only leaves a trace."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.file,)


def test_pickled_weights_are_read_only_where_that_is_allowed(saved: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved(GPT2)
    before = build(checkpoints.find_checkpoint(str(folder))).state_dict()
    tensors = load_file(folder / "model.safetensors")
    torch.save(tensors, folder / "pytorch_model.bin")
    assert checkpoints.find_checkpoint(str(folder)).weights == (folder / "model.safetensors",)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"a pickle \(pytorch_model\.bin\).*allow_pickle: true"):
        checkpoints.find_checkpoint(str(folder))
    after = build(checkpoints.find_checkpoint(str(folder), allow_pickle=True)).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    # Even then it may hold tensors only.
    trace = tmp_path / "trace"
    torch.save({**tensors, "more": _Harmless(trace)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin cannot be read"):
        build(checkpoints.find_checkpoint(str(folder), allow_pickle=True))
    assert not trace.exists()


CODE = "from pathlib import Path\nPath(__file__).with_name('trace').touch()\n"


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_checkpoint_is_never_run_nor_asked_about(
    saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    folder = saved(BERT)
    (folder / "own.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    if where == "config.json":
        config |= {"model_type": "mine", "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
        (folder / "config.json").write_text(json.dumps(config))
    else:
        more = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["own.T", "own.T"]}}
        (folder / where).write_text(json.dumps(more))
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked on standard input"))
    words = {"config.json": r"code of its own \(auto_map\)", "tokenizer_config.json": "its tokenizer cannot be loaded"}
    with pytest.raises(ModelError, match=words[where]) as caught:
        checkpoints.load_tokenizer(checkpoints.find_checkpoint(str(folder)))
    assert "trust_remote_code" not in str(caught.value)
    assert not list(folder.rglob("trace"))


def test_a_known_model_is_transformers_own_whatever_code_comes_with_it(saved: Callable[..., Path]) -> None:
    folder = saved(BERT)
    (folder / "own.py").write_text(CODE)
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "own.C", "AutoModelForSequenceClassification": "own.M"}
    # Attention by a kernel from the Hub would be code as well.
    more = {"auto_map": classes, "attn_implementation": "somebody/kernel"}
    (folder / "config.json").write_text(json.dumps({**config, **more}))
    assert type(build(checkpoints.find_checkpoint(str(folder)))) is transformers.BertForSequenceClassification
    assert not list(folder.rglob("trace"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": "many"}, "hidden_size.*expected int, got str"),
        ({"num_hidden_layers": [1]}, "num_hidden_layers"),
        ({"hidden_act": "nope"}, "nope"),
        ({"num_attention_heads": 0}, "ZeroDivisionError"),
        ({"pad_token_id": 99}, "Padding_idx"),
        ({"id2label": [1, 2]}, "config.json cannot be read"),
        ({"num_labels": "x"}, "config.json cannot be read"),
        ({"dtype": "floatx"}, "config.json cannot be read"),
        ({"model_type": ["bert"]}, "config.json cannot be read"),
        ({"model_type": "mine"}, "config.json cannot be read"),
        ({"model_type": "vit"}, "no classification model for 'vit'"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "weights are quantised"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_that_transformers_refuses_is_one_message(
    saved: Callable[..., Path], change: dict[str, Any], words: str
) -> None:
    folder = saved(BERT)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match=words) as caught:
        parameter_counts(checkpoints.find_checkpoint(str(folder)), Arm(), n_classes=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "3", "null", "", "{", '{"x": ' + "[" * 9000 + "]" * 9000 + "}"])
def test_a_configuration_that_is_none_is_one_message(saved: Callable[..., Path], text: str) -> None:
    folder = saved(BERT)
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"its config\.json cannot be read"):
        checkpoints.find_checkpoint(str(folder))


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_checkpoint_on_the_hub_is_pinned_to_its_commit(
    saved: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "models--somebody--small" / "snapshots" / COMMIT
    cache.parent.mkdir(parents=True)
    shutil.move(saved(GPT2), cache)
    asked = []

    def download(name: str, file: str, *, revision: str | None, local_files_only: bool = False) -> str:
        asked.append((file, revision, local_files_only))
        if not (cache / file).is_file():
            raise huggingface_hub.errors.LocalEntryNotFoundError(f"{file} is not there")
        return str(cache / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(checkpoints, "_config", lambda *_: GPT2)
    checkpoint = checkpoints.find_checkpoint("somebody/small")
    assert (checkpoint.revision, checkpoint.identity) == (COMMIT, f"hub:{COMMIT}")
    assert checkpoint.weights == (cache / "model.safetensors",)
    assert asked == [("config.json", None, False), ("model.safetensors", COMMIT, False)]
    (cache / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="it has no weights"):
        checkpoints.find_checkpoint("somebody/small")
    # A plan downloads no weights.
    assert checkpoints.find_checkpoint("somebody/small", download=False).weights is None
    assert asked[-1][2]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A copy of an embedded checkpoint, to be damaged."""
    return Path(shutil.copytree(embedded.checkpoint("embedded/tiny-gpt2"), tmp_path / "tiny"))


STUDY = """\
name: checked
model: {model}
data: {{path: embedded/sentiment, train_size: 30, test_size: 40}}
training: {{num_train_epochs: 0}}
arms:
  full: {{}}
  lora: {{adapter: {{peft_type: LORA, target_modules: [c_attn]}}}}
seeds: 2
timing: off
"""


def study_of(folder: Path, *overrides: str) -> Study:
    file = folder.with_suffix(".yaml")
    file.write_text(STUDY.format(model=folder))
    return load_study(file, overrides)


@pytest.mark.parametrize("damage", ["layer", "weights", "tokenizer", "pickle", "head"])
def test_what_is_wrong_with_a_checkpoint_is_found_before_anything_runs(tiny: Path, tmp_path: Path, damage: str) -> None:
    words = {
        "layer": "lack 12 of the backbone",
        "weights": "it has no weights",
        "tokenizer": "contradict each other: add_prefix_space",
        "pickle": "allow_pickle: true",
        "head": "head: kept needs a classification head of 2 classes",
    }[damage]
    if damage == "layer":
        rename(tiny, lambda tensors: {name: value for name, value in tensors.items() if not name.startswith("h.0.")})
    if damage == "pickle":
        torch.save(load_file(tiny / "model.safetensors"), tiny / "pytorch_model.bin")
    if damage in {"weights", "pickle"}:
        (tiny / "model.safetensors").unlink()
    if damage == "tokenizer":
        options = json.loads((tiny / "tokenizer_config.json").read_text())
        (tiny / "tokenizer_config.json").write_text(json.dumps({**options, "add_prefix_space": True}))
    study = study_of(tiny, *(["head=kept"] if damage == "head" else []))
    with pytest.raises(ModelError, match=words):
        run_study(study, tmp_path / "results")
    assert not (tmp_path / "results").exists()
    # And a plan says it.
    assert all(arm.total is None and words in arm.reason for arm in planning.study_size(study).arms)
    if damage == "pickle":
        assert prepare(study_of(tiny, "allow_pickle=true"))[0].weights == (tiny / "pytorch_model.bin",)


ODD: list[Any] = [None, True, -1, 0, 7, 2.5, "", "x", [], [1], {}, {"a": 1}, [[]], 1e308]


def damaged(value: Any, draw: random.Random) -> Any:
    """Change or leave out one value, somewhere in JSON content."""
    if not isinstance(value, dict | list) or not value:
        return draw.choice(ODD)
    changed = value.copy()
    key = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
    if draw.random() < 0.2:
        del changed[key]
    else:
        changed[key] = damaged(value[key], draw) if draw.random() < 0.5 else draw.choice(ODD)
    return changed


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_are_refused_with_one_line_or_read(tiny: Path, file: str) -> None:
    draw = random.Random(f"damage to {file}")
    whole = json.loads((tiny / file).read_text())
    refused = []
    for _ in range(20):
        (tiny / file).write_text(json.dumps(damaged(whole, draw)))
        try:
            checkpoint = checkpoints.find_checkpoint(str(tiny))
            checkpoints.load_tokenizer(checkpoint)
            parameter_counts(checkpoint, Arm(), n_classes=2)
        except HarnessError as error:
            refused.append(str(error))
    assert refused
    assert all(str(tiny) in message and "\n" not in message for message in refused)
