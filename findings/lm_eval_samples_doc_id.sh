#!/usr/bin/env bash
# lm_eval 0.4.13: --samples with indices that do not ascend logs documents under each other's doc_id.
#
# The documents are walked through in the order of the data set, and numbered in the order of the option. Asked for
# documents 3 and 0, the log says that document 0 ("alpha") is doc_id 3, and document 3 ("delta") doc_id 0. Two logs
# whose options name the same documents in another order then disagree about nearly every doc_id, with the right number
# of lines and no warning. Only doc_hash tells: equal doc_id with unequal doc_hash.
#
# Seen, with lm_eval 0.4.13 on Python 3.11:
#   --samples {"letters": [3, 0]}: doc_id 3 is 'alpha', doc_id 0 is 'delta'
#   --samples {"letters": [0, 3]}: doc_id 0 is 'alpha', doc_id 3 is 'delta'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet lm_eval==0.4.13
export HF_HUB_OFFLINE=1 HF_HOME=$work/cache

mkdir tasks
printf '{"word": "%s"}\n' alpha beta gamma delta epsilon >letters.jsonl
cat >tasks/letters.yaml <<'YAML'
task: letters
dataset_path: json
dataset_kwargs: {data_files: {validation: letters.jsonl}}
validation_split: validation
output_type: loglikelihood
doc_to_text: "Next:"
doc_to_target: " {{word}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
YAML
for order in "3, 0" "0, 3"; do
  venv/bin/lm_eval run --model dummy --tasks letters --include_path tasks --samples "{\"letters\": [$order]}" \
    --log_samples --output_path "logs/$order" >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }
done

python3 - <<'PYTHON'
import json
from pathlib import Path

found = {}
for order in ("3, 0", "0, 3"):
    (log,) = Path("logs", order).rglob("samples_letters_*.jsonl")
    words = {line["doc_id"]: line["doc"]["word"] for line in map(json.loads, log.read_text().splitlines())}
    found[order] = words
    print(f'--samples {{"letters": [{order}]}}:', ", ".join(f"doc_id {number} is {word!r}" for number, word in words.items()))
if found != {"3, 0": {3: "alpha", 0: "delta"}, "0, 3": {0: "alpha", 3: "delta"}}:
    raise SystemExit("this is no longer what was seen")
PYTHON
