"""Pretrain the two embedded checkpoints on the unlabelled part of the generated corpus.

``python -m harness.embedded.pretrain`` writes both folders anew; it needs ten to fifteen minutes on one CPU core.
``python -m harness.embedded.pretrain --check`` writes nothing: it loads both checkpoints and compares the corpus
with the one that they were trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy

from harness.embedded import CHECKPOINTS, checkpoint, corpus
from harness.embedded.corpus import Review

MAX_TOKENS = 128
MAX_BYTES = 2_000_000
REVIEWS = 60_000
MASKED_SHARE = 0.15
# The usual 0.02 belongs to a width of 768; a narrower layer needs wider weights for the same activations.
INITIAL_SPREAD = 0.07
RECORD = "pretraining.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one checkpoint is pretrained.

    Parameters
    ----------
    steps : int
        Optimizer steps.
    batch_size : int
        Sequences a step.
    learning_rate : float
        Peak of a cosine schedule with linear warm-up.
    seed : int
        For the initial weights, the order of the texts and dropout.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int


RECIPES = {
    "embedded/tiny-gpt2": Recipe(steps=3000, batch_size=16, learning_rate=3e-3, seed=1),
    "embedded/tiny-distilbert": Recipe(steps=9000, batch_size=32, learning_rate=3e-3, seed=2),
}


def gpt2_tokenizer(texts: Sequence[str]) -> Any:
    """Byte-level BPE as in GPT-2: nothing added at the ends, no padding token."""
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(texts, trainer)
    state = json.loads(inner.to_str())["model"]
    return transformers.GPT2TokenizerFast(
        vocab=state["vocab"],
        merges=[tuple(pair) for pair in state["merges"]],
        model_max_length=MAX_TOKENS,
    )


def distilbert_tokenizer(texts: Sequence[str]) -> Any:
    """Lower-case WordPiece as in DistilBERT, with [CLS] and [SEP] at the ends.

    The vocabulary is every word of the texts, the most frequent first, and all printable characters for other words.
    It is counted here because the trainer of the tokenizers library orders it differently in every run.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    characters = [chr(code) for code in range(ord("!"), ord("~") + 1) if not chr(code).isupper()]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    entries = dict.fromkeys([*special, *characters, *(f"##{character}" for character in characters), *words])
    return transformers.DistilBertTokenizerFast(
        vocab={entry: number for number, entry in enumerate(entries)},
        do_lower_case=True,
        model_max_length=MAX_TOKENS,
    )


def gpt2_model(tokenizer: Any) -> Any:
    """Build GPT-2 with four layers of width 72 and fresh weights."""
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=MAX_TOKENS,
        n_embd=72,
        n_layer=4,
        n_head=4,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own gelu_new in one kernel instead of eight
        initializer_range=INITIAL_SPREAD,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return transformers.GPT2LMHeadModel(config)


def distilbert_model(tokenizer: Any) -> Any:
    """Build DistilBERT with six layers of width 64 and fresh weights."""
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=MAX_TOKENS,
        dim=64,
        hidden_dim=256,
        n_layers=6,
        n_heads=4,
        initializer_range=INITIAL_SPREAD,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.DistilBertForMaskedLM(config)


def gpt2_losses(model: Any, tokenizer: Any, reviews: Sequence[Review], recipe: Recipe) -> Iterator[torch.Tensor]:
    """Yield the loss of one batch after another, each row 128 tokens of whole reviews, the last one cut.

    Every review closes with its stars, so that the model learns to tell praise from complaint by reading on.
    """
    rng = np.random.default_rng(recipe.seed)
    texts = [f"{review.text} {review.rating}." for review in reviews]
    pieces = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(texts)["input_ids"]]
    while True:
        rows = []
        for _ in range(recipe.batch_size):
            row: list[int] = []
            while len(row) < MAX_TOKENS:
                row += pieces[int(rng.integers(len(pieces)))]
            rows.append(row[:MAX_TOKENS])
        ids = torch.tensor(rows)
        logits = model(input_ids=ids).logits[:, :-1]
        yield cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def distilbert_losses(model: Any, tokenizer: Any, reviews: Sequence[Review], recipe: Recipe) -> Iterator[torch.Tensor]:
    """Yield the loss of one batch after another, each row one review with 15% of its tokens masked.

    Of these, 80% are hidden behind [MASK], 10% replaced by another token and 10% left as they are. The state
    at [CLS] predicts the number of stars, so that it sums up the text, as BERT's does after next-sentence prediction;
    the two losses are added.
    """
    rng = np.random.default_rng(recipe.seed)
    pieces = tokenizer([review.text for review in reviews], truncation=True)["input_ids"]
    ratings = torch.tensor(tokenizer.convert_tokens_to_ids([review.rating.split()[0] for review in reviews]))
    # Rows of similar length share a batch: less padding, less time.
    by_length = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    specials = sorted(tokenizer.all_special_ids)
    while True:
        first = int(rng.integers(len(pieces) - recipe.batch_size))
        rows = by_length[first : first + recipe.batch_size]
        chosen = [pieces[i] for i in rows]
        ids = np.full((len(chosen), len(chosen[-1])), tokenizer.pad_token_id)
        for row, piece in zip(ids, chosen, strict=True):
            row[: len(piece)] = piece
        asked = ~np.isin(ids, specials) & (rng.random(ids.shape) < MASKED_SHARE)
        fate = rng.random(ids.shape)
        shown = np.where(asked & (fate < 0.8), tokenizer.mask_token_id, ids)
        drawn = rng.integers(len(specials), len(tokenizer), size=ids.shape)
        shown = np.where(asked & (fate >= 0.8) & (fate < 0.9), drawn, shown)
        attended = torch.from_numpy((ids != tokenizer.pad_token_id).astype(np.int64))
        states = model.distilbert(input_ids=torch.from_numpy(shown), attention_mask=attended)[0]
        # The output layer sees the places that are asked for only: it costs more than the six layers below it.
        words = vocabulary_logits(model, states[torch.from_numpy(asked)])
        stars = vocabulary_logits(model, states[:, 0])
        yield cross_entropy(words, torch.from_numpy(ids[asked])) + cross_entropy(stars, ratings[rows])


def vocabulary_logits(model: Any, states: torch.Tensor) -> torch.Tensor:
    """Apply the output layer of DistilBERT's masked language model to states of shape (n, width)."""
    hidden = model.vocab_layer_norm(model.activation(model.vocab_transform(states)))
    logits: torch.Tensor = model.vocab_projector(hidden)
    return logits


def train(model: Any, losses: Iterator[torch.Tensor], recipe: Recipe, *, report: Callable[[str], None]) -> float:
    """Train in place and return the mean loss of the last hundred steps, in nats a predicted token."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    warm_up = recipe.steps // 20
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm_up, 0.5 * (1 + math.cos(math.pi * step / recipe.steps))),
    )
    # Dropout stays off: models this small have too little room for what the corpus holds, not too much.
    model.eval()
    recent: list[float] = []
    for step in range(1, recipe.steps + 1):
        loss = next(losses)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        recent = [*recent[-99:], loss.item()]
        if step % 500 == 0:
            report(f"  step {step} of {recipe.steps}, loss {np.mean(recent):.3f}")
    return float(np.mean(recent))


def fingerprint(reviews: Iterable[Review]) -> str:
    """Hash the text and the stars of every review (SHA-256, hexadecimal)."""
    lines = (f"{review.stars}\t{review.text}\n" for review in reviews)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pretrain(name: str, folder: Path, *, report: Callable[[str], None]) -> None:
    """Pretrain one checkpoint and write it, its tokenizer and its record into the folder."""
    recipe = RECIPES[name]
    torch.manual_seed(recipe.seed)
    reviews = list(corpus.unlabelled(REVIEWS))
    texts = [f"{review.text} {review.rating}." for review in reviews]
    texts += [example.sentence for example in corpus.labelled()["train"]]
    if name == "embedded/tiny-gpt2":
        tokenizer = gpt2_tokenizer(texts)
        model = gpt2_model(tokenizer)
        losses = gpt2_losses(model, tokenizer, reviews, recipe)
    else:
        tokenizer = distilbert_tokenizer(texts)
        model = distilbert_model(tokenizer)
        losses = distilbert_losses(model, tokenizer, reviews, recipe)
    report(f"{name}: {model.num_parameters():,} parameters, {len(tokenizer)} tokens")
    loss = train(model, losses, recipe, report=report)
    # From here on it is a new head that starts with this spread, and a small one as in the original models.
    model.config.initializer_range = 0.02
    model.base_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    record = {
        "corpus": corpus.fingerprint(),
        "reviews": fingerprint(reviews),
        "recipe": asdict(recipe),
        "loss": round(loss, 4),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def problems(name: str) -> list[str]:
    """List what is wrong with one checkpoint as shipped; empty where all is well."""
    folder = checkpoint(name)
    wrong = []
    size = (folder / "model.safetensors").stat().st_size
    if size >= MAX_BYTES:
        wrong.append(f"{name}: model.safetensors has {size:,} bytes, at most {MAX_BYTES - 1:,} are allowed")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    generated = {"corpus": corpus.fingerprint(), "reviews": fingerprint(corpus.unlabelled(REVIEWS))}
    for part, now in generated.items():
        if record[part] != now:
            wrong.append(f"{name}: trained with {part} {record[part]}, generated now is {now}")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, trust_remote_code=False
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if len(tokenizer) != model.config.vocab_size:
        wrong.append(f"{name}: {len(tokenizer)} tokens in the tokenizer, {model.config.vocab_size} in the model")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Pretrain both checkpoints, or check them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.embedded.pretrain", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check the shipped checkpoints, write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", default=CHECKPOINTS, help="which; default: both")
    chosen = parser.parse_args(arguments)

    def report(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    if chosen.check:
        wrong = [problem for name in chosen.names for problem in problems(name)]
        for problem in wrong:
            report(problem)
        return 1 if wrong else 0
    torch.set_num_threads(1)
    for name in chosen.names:
        pretrain(name, checkpoint(name), report=report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
