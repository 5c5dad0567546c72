from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import analysis


def test_every_public_name_exists_once_and_is_listed() -> None:
    homes = [name for names in analysis._HOMES.values() for name in names]
    assert sorted(homes) == sorted(set(homes)) == sorted(analysis.__all__) == dir(analysis)
    for module, names in analysis._HOMES.items():
        for name in names:
            assert getattr(analysis, name) is getattr(importlib.import_module(f"analysis.{module}"), name)


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'anlyze'"):
        analysis.anlyze  # noqa: B018


def loaded_by(code: str) -> set[str]:
    """The packages, and the packages in them, that the code loads."""
    program = f"{code}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {".".join(name.split(".")[:depth]) for name in json.loads(done.stdout) for depth in (1, 2)}


def test_the_whole_analysis_needs_neither_torch_nor_the_harness() -> None:
    everything = "; ".join(f"import analysis.{name}" for name in analysis._HOMES)
    modules = loaded_by(f"{everything}; import analysis.tables")
    assert "analysis" in modules
    assert not modules & {"torch", "harness", "transformers", "datasets", "peft", "optuna", "accelerate"}


def test_checking_a_plan_waits_for_no_statistics() -> None:
    modules = loaded_by("import analysis.study.analysis_block as block; block.check_plan({}, None, arms=['full'])")
    assert not modules & {"numpy", "scipy", "pyarrow", "pandas", "statsmodels"}


def test_a_report_waits_for_no_large_library() -> None:
    # scipy.stats and statsmodels would each take about as long as all else that a report loads.
    modules = loaded_by("import analysis.tables")
    assert "scipy.special" in modules
    assert not modules & {"pandas", "statsmodels", "matplotlib", "scipy.stats"}
