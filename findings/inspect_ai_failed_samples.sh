#!/usr/bin/env bash
# inspect_ai 0.3.285: samples that fail leave the accuracy, and no figure beside it counts them as unscored.
#
# With fail_on_error=False, an evaluation of which samples fail ends with status "success". A sample that failed in all
# its epochs is in neither scored_samples nor unscored_samples, and one that failed in some epochs counts by the others
# alone. The accuracy of a model that fails where it would be wrong is therefore too high, and two models are compared on
# different samples. Only total_samples and completed_samples differ.
#
# Seen, with inspect_ai 0.3.285 on Python 3.11; 4 samples, 2 epochs; sample 3 fails twice, sample 2 once, 4 is wrong:
#   status success, accuracy 0.6666666666666666 of 3 scored and 0 unscored samples, 5 of 8 completed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet inspect_ai==0.3.285

venv/bin/python - <<'PYTHON'
from types import SimpleNamespace

import tiktoken

# The mock model counts tokens by a table that would be fetched.
tiktoken.get_encoding = lambda name: SimpleNamespace(encode=lambda text, **_: list(text.encode()))

from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import solver


@solver
def fails():
    async def solve(state, generate):
        if state.sample_id == 3 or (state.sample_id, state.epoch) == (2, 1):
            raise RuntimeError("out of memory")
        return await generate(state)

    return solve


# The mock model answers "Default output from mockllm/model".
samples = [Sample(id=number, input="?", target="other" if number == 4 else "Default") for number in range(1, 5)]
task = Task(dataset=MemoryDataset(samples), solver=fails(), scorer=includes())
(log,) = eval(task, model="mockllm/model", epochs=2, fail_on_error=False, log_dir="logs", display="none")
(score,) = log.results.scores
accuracy = score.metrics["accuracy"].value
print(
    f"status {log.status}, accuracy {accuracy} of {score.scored_samples} scored and {score.unscored_samples} unscored "
    f"samples, {log.results.completed_samples} of {log.results.total_samples} completed"
)
seen = (log.status, round(accuracy, 6), score.scored_samples, score.unscored_samples, log.results.completed_samples)
if seen != ("success", 0.666667, 3, 0, 5):
    raise SystemExit("this is no longer what was seen")
PYTHON
