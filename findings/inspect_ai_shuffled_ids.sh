#!/usr/bin/env bash
# inspect_ai 0.3.285: without ids in the data, shuffle=True makes sample 1 of every log another question.
#
# json_dataset and its like number samples by their place in the file only with auto_id=True, which is not the default.
# Without it, ids are counted when the evaluation starts, after the shuffle, and a shuffle without a seed is another one
# each time. The logs then hold the same ids 1..N, and nothing in them warns: whoever compares two models sample by
# sample, by id, compares answers to different questions. Only `input` tells.
#
# Seen, with inspect_ai 0.3.285 on Python 3.11 (the order changes from run to run):
#   auto_id=False: ids [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] in both logs, 12 of 12 with another question in the second
#   auto_id=True: the same ids in both logs, 0 of 12 with another question in the second
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet inspect_ai==0.3.285

for n in $(seq 12); do
  echo "{\"input\": \"$n+$n=\", \"target\": \"$((n + n))\"}"
done >sums.jsonl
venv/bin/python - <<'PYTHON'
from types import SimpleNamespace

import tiktoken

# The mock model counts tokens by a table that would be fetched.
tiktoken.get_encoding = lambda name: SimpleNamespace(encode=lambda text, **_: list(text.encode()))

from inspect_ai import Task, eval
from inspect_ai.dataset import json_dataset
from inspect_ai.log import read_eval_log_sample_summaries
from inspect_ai.scorer import match


def questions(**options):
    task = Task(dataset=json_dataset("sums.jsonl", shuffle=True, **options), scorer=match())
    (log,) = eval(task, model="mockllm/model", log_dir="logs", display="none")
    return {summary.id: summary.input for summary in read_eval_log_sample_summaries(log.location)}


others = {}
for auto_id in (False, True):
    first, second = questions(auto_id=auto_id), questions(auto_id=auto_id)
    assert sorted(first) == sorted(second) == list(range(1, 13)), (first, second)
    others[auto_id] = sum(first[number] != second[number] for number in first)
    print(f"auto_id={auto_id}: ids {sorted(first)} in both logs, {others[auto_id]} of 12 with another question in the second")
# A shuffle leaves all 12 in their places once in 479,001,600 times.
if not others[False] or others[True]:
    raise SystemExit("this is no longer what was seen")
PYTHON
