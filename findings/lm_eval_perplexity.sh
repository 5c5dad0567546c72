#!/usr/bin/env bash
# lm_eval 0.4.13: the "perplexity" of a document in the sample log is its log-likelihood, and goes the other way.
#
# results_*.json gives perplexity = exp(-mean) of all documents and says higher_is_better: false. The samples of the
# same evaluation have a number of the same name in every line, but it is the log-likelihood: negative, more is better,
# and its mean is not the figure in the results. Whoever compares two models document by document on this column, with
# the direction that the results state, calls the worse model the better one.
#
# Seen, with lm_eval 0.4.13 on Python 3.11 (the "dummy" model draws log-likelihoods between -1 and 0, by the seed):
#   results:  perplexity 1.2807, higher_is_better False
#   samples:  perplexity -0.2188, -0.4596, -0.2898, -0.0215
#   exp(-mean of the samples) = 1.2807
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet lm_eval==0.4.13
export HF_HUB_OFFLINE=1 HF_HOME=$work/cache

mkdir tasks
printf '{"start": "%s", "end": "%s"}\n' "Bread and" butter "Once upon a" time "Hide and" seek "Salt and" pepper >ends.jsonl
cat >tasks/ends.yaml <<'YAML'
task: ends
dataset_path: json
dataset_kwargs: {data_files: {validation: ends.jsonl}}
validation_split: validation
output_type: loglikelihood
doc_to_text: "{{start}}"
doc_to_target: " {{end}}"
metric_list: [{metric: perplexity, aggregation: perplexity, higher_is_better: false}]
YAML
venv/bin/lm_eval run --model dummy --tasks ends --include_path tasks --seed 1 --log_samples --output_path logs \
  >output 2>&1 || { cat output; exit 1; }

python3 - <<'PYTHON'
import json
import math
from pathlib import Path

(log,) = Path("logs").rglob("samples_ends_*.jsonl")
(results,) = Path("logs").rglob("results_*.json")
told = json.loads(results.read_text())
figure, higher = told["results"]["ends"]["perplexity,none"], told["higher_is_better"]["ends"]["perplexity"]
values = [json.loads(line)["perplexity"] for line in log.read_text().splitlines()]
mean = sum(values) / len(values)
print(f"results:  perplexity {figure:.4f}, higher_is_better {higher}")
print("samples:  perplexity", ", ".join(f"{value:.4f}" for value in values))
print(f"exp(-mean of the samples) = {math.exp(-mean):.4f}")
if higher is not False or max(values) > 0 or not math.isclose(math.exp(-mean), figure):
    raise SystemExit("this is no longer what was seen")
PYTHON
