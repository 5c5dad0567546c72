#!/usr/bin/env bash
# autorank 1.3.0: the table of ranks begins with the worst population, whatever `order` says.
#
# `order`, "descending" by default, is documented as the direction in which the central tendencies are ranked, and the
# documentation's examples begin with the best population. Both orders give the same table, and it begins with the
# worst: ranks are given in one direction and then sorted in the same. Effect sizes are those against the first row, so
# here against the worst population, where the documentation has the best. Whoever reads rankdf.index[0] as the winner
# takes the loser.
#
# Seen, with autorank 1.3.0, pandas 3.1.1, NumPy 2.4.6 on Python 3.11:
#   descending: worst (mean rank 3, effect size 0.0), middle (mean rank 2, effect size -12.8), best (mean rank 1, effect size -21.2)
#   ascending: worst (mean rank 1, effect size 0.0), middle (mean rank 2, effect size -12.8), best (mean rank 3, effect size -21.2)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet autorank==1.3.0 pandas==3.1.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
import contextlib
import io

import numpy as np
import pandas as pd
from autorank import autorank

rng = np.random.default_rng(0)
data = pd.DataFrame({name: rng.normal(mean, 0.1, 20) for mean, name in enumerate(["worst", "middle", "best"])})
orders = {}
for order in ("descending", "ascending"):
    # It prints a table, whatever verbose says.
    with contextlib.redirect_stdout(io.StringIO()):
        table = autorank(data, order=order).rankdf
    orders[order] = list(table.index)
    rows = zip(table.index, table["meanrank"], table["effect_size"])
    print(f"{order}:", ", ".join(f"{name} (mean rank {rank:g}, effect size {size:.1f})" for name, rank, size in rows))
if orders["descending"] != ["worst", "middle", "best"] or orders["ascending"] != orders["descending"]:
    raise SystemExit("this is no longer what was seen")
PYTHON
