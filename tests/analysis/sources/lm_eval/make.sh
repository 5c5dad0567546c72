#!/usr/bin/env bash
# Writes logs/: samples and results of lm-evaluation-harness 0.4.13, by its own command and its "dummy" model, which draws
# log-likelihoods from --seed. Its answers in words are always "lol"; here they are drawn too. Nothing is edited afterwards;
# the models are called by relative names and the command runs outside any git repository, so nothing personal is in them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet lm_eval==0.4.13
cp -r "$here/tasks" "$work"
cd "$work"
export HF_HUB_OFFLINE=1 HF_HOME=$work/cache

evaluate() { # MODEL SEED TASKS [OPTION ...]
  venv/bin/python - run --model dummy --model_args "pretrained=$1-seed$2" --seed "$2$(printf %s "$1" | wc -c)" \
    --tasks "$3" --include_path tasks --output_path logs --log_samples "${@:4}" <<'PYTHON'
import random
from lm_eval.__main__ import cli_evaluate
from lm_eval.models.dummy import DummyLM

DummyLM.generate_until = lambda self, requests, **_: [random.choice(["lol", "l", "hello"]) for _ in requests]
cli_evaluate()
PYTHON
}

for seed in 1 2 3; do
  evaluate full "$seed" sentiment,quiz,echo,last_word
  evaluate lora-r8 "$seed" sentiment,quiz,echo,last_word
done
rm -rf "$here/logs"
mv logs "$here/logs"
