"""The record format: written by `harness`, read by `analysis`, with nothing shared between them but the disk."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import analysis
from analysis import tables
from analysis.errors import RecordError
from analysis.records.format import StoredFile
from analysis.records.manifest import Manifest
from analysis.records.schema import schema
from analysis.records.timing import Timing
from analysis.records.trial_record import TrialRecord
from harness import run_study
from harness.runs import turns
from harness.runs.timing import time_study
from harness.study.study import Study


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study run once, with everything in it that a record can hold but trouble."""
    from harness.study.loading import load_study

    root = tmp_path_factory.mktemp("contract")
    (root / "s.yaml").write_text(
        "name: contract\n"
        "model: embedded/tiny-gpt2\n"
        "data: {path: embedded/sentiment, train_size: 48, test_size: 40}\n"
        "training: {learning_rate: 1e-3, num_train_epochs: 2, per_device_train_batch_size: 16}\n"
        "arms:\n"
        "  full: {}\n"
        "  early: {selection: {best: loss, on: holdout, fraction: 0.25, patience: 1}}\n"
        "  'lora[v] & 50%_\\t\\[/red]':\n"
        "    adapter: {peft_type: LORA, r: 2, target_modules: [c_attn]}\n"
        "seeds: [0, 3]\n"
        "selection: {best: accuracy, on: test}\n"
        "deviations: [the head is seeded]\n"
        "analysis: {baseline: full, margin: 0.05}\n"
        "claims: [{source: s, model: embedded/tiny-gpt2, n: 40, accuracy: {full: '0.5', early: '0.6'}}]\n"
        "timing: off\n"
    )
    study = load_study(root / "s.yaml")
    folder = run_study(study, root).folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "MOST_TURNS", 3)
        assert time_study(study, root) is not None
    return folder


@pytest.fixture(scope="module")
def of_two_sets(tmp_path_factory: pytest.TempPathFactory, shallow: Path) -> Path:
    """A small study that is scored on two files, of which the second repeats half of the first."""
    from harness import embedded
    from harness.study.loading import load_study

    root = tmp_path_factory.mktemp("sets")
    columns = embedded.split("embedded/sentiment", "validation")
    lines = [
        json.dumps({"sentence": text, "label": label})
        for text, label in zip(columns["sentence"][:40], columns["label"][:40], strict=True)
    ]
    (root / "first.jsonl").write_text("\n".join(lines))
    (root / "again.jsonl").write_text("\n".join(lines[:20]))
    (root / "s.yaml").write_text(
        "name: sets\n"
        f"model: {shallow}\n"
        "data: {path: embedded/sentiment, train_size: 32, test: [first.jsonl, again.jsonl]}\n"
        "training: {num_train_epochs: 1, per_device_train_batch_size: 16}\n"
        "arms: {full: {}, slow: {training: {learning_rate: 1e-5}}, frozen: {freeze: {layers: 1}}}\n"
        "seeds: 3\n"
        "timing: off\n"
    )
    return run_study(load_study(root / "s.yaml"), root).folder


def test_a_plan_keeps_the_variance_that_it_was_frozen_with(of_two_sets: Path, tmp_path: Path) -> None:
    from harness.study.loading import load_study

    def judged(folder: Path) -> tuple[dict[str, Any], str | None, int]:
        (entry,) = json.loads((folder / "study.json").read_text())["plan_history"]
        report = analysis.analyze(folder, resamples=99)
        result = report.comparisons[0].result
        assert result is not None
        return entry, report.plan.variance, result.n_arms

    entry, variance, n_arms = judged(of_two_sets)
    assert (entry["variance"], variance, n_arms) == ("pooled", "pooled", 3)
    # An older version knew no pooling, and noted no variance.
    root = tmp_path / "older"
    shutil.copytree(of_two_sets.parent, root)
    manifest = json.loads((root / "sets" / "study.json").read_text())
    del manifest["plan_history"][0]["variance"]
    (root / "sets" / "study.json").write_text(json.dumps(manifest))
    assert run_study(load_study(root / "s.yaml"), root).ran == 0
    entry, variance, n_arms = judged(root / "sets")
    assert "variance" not in entry
    assert (variance, n_arms) == (None, 2)


def test_several_test_sets_are_scored_and_judged(of_two_sets: Path) -> None:
    manifest = json.loads((of_two_sets / "study.json").read_text())
    # A reader of format 1 would take both for one set.
    assert manifest["format"] == 2
    assert manifest["study"]["data"]["test"] == ["first.jsonl", "again.jsonl"]
    assert manifest["data"]["sets"] == [
        {"name": "first.jsonl", "n_test": 40, "n_shared": 0},
        {"name": "again.jsonl", "n_test": 20, "n_shared": 20},
    ]
    assert [part["rows"] for part in manifest["data"]["origin"]["test"]] == [40, 20]
    outcomes = analysis.load(of_two_sets)
    assert [example[2:] for example in outcomes.example_ids[:20]] == [
        example[2:] for example in outcomes.example_ids[40:]
    ]
    assert {example[:2] for example in outcomes.example_ids} == {"1/", "2/"}
    assert (outcomes.n_clusters, outcomes.drawn(outcomes.scores("full")).shape) == (None, (3, 40))
    first, second = outcomes.by_set()
    # A model says the same of the same text, whichever set it is in.
    np.testing.assert_array_equal(first.predicted("full", seeds=[0])[:, :20], second.predicted("full", seeds=[0]))
    report = analysis.analyze(of_two_sets, resamples=99)
    assert [(one.name, one.n_examples) for one in report.sets] == [("first.jsonl", 40), ("again.jsonl", 20)]
    assert "20 of 20 texts are in an earlier test set too" in tables.markdown(report)


def test_what_harness_wrote_analysis_reads(written: Path) -> None:
    report = analysis.analyze(written)
    assert report.name == "contract"
    assert report.seeds == (0, 3)
    assert report.n_examples == 40
    assert [arm.arm for arm in report.arms] == ["full", "early", "lora[v] & 50%_\\t\\[/red]"]
    for arm in report.arms:
        trials = [t for t in json.loads((written / "study.json").read_text())["cells"] if t["arm"] == arm.arm]
        records = [json.loads((written / "trials" / t["key"] / "record.json").read_text()) for t in trials]
        at = [r["selected_epoch"] if arm.arm == "early" else len(r["epochs"]) for r in records]
        told = [r["epochs"][e - 1]["test"]["accuracy"] for r, e in zip(records, at, strict=True)]
        assert arm.mean == pytest.approx(sum(told) / 2)
    published = {lift.arm: lift.published for lift in report.selection_lifts}
    assert published == {"full": True, "early": False, "lora[v] & 50%_\\t\\[/red]": True}
    chosen = next(lift for lift in report.selection_lifts if lift.arm == "early")
    assert chosen.holdout == report.arms[1].mean
    assert len(report.comparisons) == 2
    assert len(report.claims) == 1


def undescribed(content: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str = "") -> list[str]:
    """The keys of a file that its JSON schema does not name."""
    schema = next((s for s in schema.get("anyOf", ()) if s.get("type") != "null"), schema)
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if isinstance(content, list):
        return [k for item in content for k in undescribed(item, schema.get("items", {}), definitions, path)]
    if not isinstance(content, dict) or not ({"properties", "additionalProperties"} & set(schema)):
        return []
    names, rest = schema.get("properties"), schema.get("additionalProperties")
    unknown = [f"{path}{key}" for key in content if names is not None and key not in names]
    inner = {
        key: names.get(key, {}) if names is not None else rest if isinstance(rest, dict) else {} for key in content
    }
    return unknown + [k for key in content for k in undescribed(content[key], inner[key], definitions, f"{path}{key}.")]


def test_the_models_describe_every_key_that_is_written(written: Path) -> None:
    assert json.loads((written / "study.json").read_text())["format"] == 1
    definitions = json.loads(schema())["$defs"]
    files_of: dict[type[StoredFile], list[Path]] = {
        Manifest: [written / "study.json"],
        TrialRecord: sorted(written.rglob("record.json")),
        Timing: [written / "timing.json"],
    }
    for model, files in files_of.items():
        assert files
        for path in files:
            content = json.loads(path.read_text())
            assert undescribed(content, definitions[model.__name__], definitions) == []
            stored = model.model_validate_json(path.read_bytes())
            assert stored.to_json() == content
            assert set(model.model_fields) - stored.model_fields_set <= {"tuning", "paired", "imported"}


def test_what_was_timed_is_what_the_cost_of_an_arm_is_read_from(written: Path) -> None:
    content = json.loads((written / "timing.json").read_text())
    report = analysis.analyze(written)
    assert [cost.measured for cost in report.costs] == ["turns"] * 3
    for cost in report.costs:
        arm = content["arms"][cost.arm]
        assert cost.seconds == pytest.approx(arm["trial_steps"] * np.exp(np.log(arm["step_seconds"]).mean()))
        trials = [json.loads(path.read_text()) for path in written.glob("trials/*/record.json")]
        assert arm["trial_steps"] == np.mean([trial["steps"] for trial in trials if trial["arm"] == cost.arm])
    assert {ratio.n_turns for ratio in report.time_ratios} == {3}


def test_a_key_that_no_model_knows_is_noticed() -> None:
    definitions = json.loads(schema())["$defs"]
    content = {"key": "k", "device": {"type": "cpu", "clock": 1}, "epochs": [{"epoch": 1, "score": 1}], "mood": ""}
    unknown = undescribed(content, definitions["TrialRecord"], definitions)
    assert sorted(unknown) == ["device.clock", "epochs.score", "mood"]


def test_the_sizes_of_packs_are_those_of_the_records(written: Path) -> None:
    trials = json.loads((written / "study.json").read_text())["cells"]
    for cost in analysis.analyze(written).costs:
        keys = [trial["key"] for trial in trials if trial["arm"] == cost.arm]
        records = [json.loads((written / "trials" / key / "record.json").read_text()) for key in keys]
        sizes = [record["pack_size"] for record in records]
        assert cost.pack_sizes == tuple(sorted({size for size in sizes if size > 1}))
        assert cost.n_solo == sizes.count(1) == [record["seconds"]["timing"] for record in records].count("solo")


def test_the_cost_table_names_a_way_to_times_that_harness_takes(written: Path, tmp_path: Path) -> None:
    from harness.cli.time_ import study_to_time

    folder = tmp_path / "contract"
    shutil.copytree(written, folder)
    (folder / "timing.json").unlink()
    text = " ".join(note for table in tables.build(analysis.analyze(folder)) for note in table.notes)
    name = re.search(r"harness time (\S+)\.", text)
    assert name is not None
    study, root = study_to_time(Path(name[1]), [], tmp_path)
    assert (study.name, root / study.name) == ("contract", folder)


def test_all_tables_can_be_made_of_it(written: Path) -> None:
    report = analysis.analyze(written)
    assert "lora" in tables.markdown(report)
    assert r"50\%\_" in tables.latex(report)
    assert tables.terminal(report)
    json.dumps(report.to_json(), allow_nan=False)


@pytest.mark.parametrize("file", ["study.json", "record.json", "timing.json"])
def test_a_format_of_tomorrow_is_refused_by_name(written: Path, tmp_path: Path, file: str) -> None:
    folder = tmp_path / "later"
    shutil.copytree(written, folder)
    path = next(folder.rglob(file))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    with pytest.raises(RecordError, match="format 3; this version reads formats 1 and 2"):
        analysis.analyze(folder)


def test_a_diverged_trial_is_known_on_both_sides(
    tmp_path: Path, tiny: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.engines.packed.parameters import PackParameters

    original = PackParameters.step

    def planted(self: PackParameters, slots: Sequence[int], rates: Mapping[int, float]) -> None:
        original(self, slots, rates)
        if len(self.values) == 2:  # the two seeds of full fine-tuning
            self.values[1] = float("nan")

    monkeypatch.setattr(PackParameters, "step", planted)
    summary = run_study(tiny(), tmp_path)
    assert summary.statuses == {"finished": 5, "diverged": 1}
    refused = analysis.analyze(summary.folder)
    assert all(pair.verdict.label == "no verdict" for pair in refused.comparisons if pair.baseline == "full")
    run_study(tiny("analysis.failed_trials=drop_seed"), tmp_path)
    assert analysis.analyze(summary.folder).dropped_seeds == (1,)


def test_clusters_reach_the_analysis_and_change_no_trial(tmp_path: Path, shallow: Path) -> None:
    from harness.study.loading import load_study

    rows = ["sentence,label,document"]
    rows += [f"a {'fine' if number % 2 else 'dull'} film {number},{number % 2},{number // 4}" for number in range(24)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("\n".join(rows))
    (tmp_path / "data" / "validation.csv").write_text("\n".join(rows))
    (tmp_path / "s.yaml").write_text(
        "name: grouped\n"
        f"model: {shallow}\n"
        f"data: {{path: {tmp_path / 'data'}}}\n"
        "training: {learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 16}\n"
        "arms:\n  full: {}\n  slow: {training: {learning_rate: 1e-4}}\n"
        "seeds: 2\n"
        "timing: off\n"
    )
    plain = run_study(load_study(tmp_path / "s.yaml"), tmp_path)
    assert plain.ran == 4
    assert analysis.analyze(plain.folder).n_clusters is None
    grouped = run_study(load_study(tmp_path / "s.yaml", ["data.cluster=document"]), tmp_path)
    assert grouped.ran == 0
    report = analysis.analyze(grouped.folder)
    assert (report.n_examples, report.n_clusters) == (24, 6)
    assert report.comparisons[0].result is not None
    assert report.comparisons[0].result.n_examples == 6
    assert "2 × 24 in 6 clusters" in tables.markdown(report)
    # To group after the trials have run is to change the plan.
    assert any(caveat.short == "plan changed after trials finished" for caveat in report.footer.caveats)


def test_each_seed_draws_its_own_training_set_the_same_in_every_arm(tmp_path: Path, shallow: Path) -> None:
    from harness.study.loading import load_study

    (tmp_path / "s.yaml").write_text(
        "name: drawn\n"
        f"model: {shallow}\n"
        "data: {path: embedded/sentiment, train_size: 40, test_size: 30, resample: 0.5}\n"
        "training: {learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 16}\n"
        "arms:\n"
        "  full: {}\n"
        "  early: {selection: {best: loss, on: holdout, fraction: 0.2}}\n"
        "seeds: 2\n"
        "timing: off\n"
    )
    folder = run_study(load_study(tmp_path / "s.yaml"), tmp_path).folder
    manifest = json.loads((folder / "study.json").read_text())
    assert manifest["format"] == 2
    assert (manifest["data"]["n_train"], manifest["data"]["n_drawn"]) == (40, 20)
    records = [json.loads((folder / "trials" / cell["key"] / "record.json").read_text()) for cell in manifest["cells"]]
    drawn = {(record["arm"], record["seed"]): record["data"]["drawn"] for record in records}
    assert {one["n"] for one in drawn.values()} == {20}
    for seed in (0, 1):
        assert drawn["full", seed] == drawn["early", seed]
    assert drawn["full", 0]["sha256"] != drawn["full", 1]["sha256"]
    sizes = {record["arm"]: (record["data"]["n_train"], record["data"]["n_holdout"]) for record in records}
    assert sizes == {"full": (20, 0), "early": (16, 4)}
    assert all(record["settings"]["data"]["resample"] == 0.5 for record in records)
    report = analysis.analyze(folder, resamples=99)
    assert report.training_sets == (20, 40)
    assert report.comparisons[0].result is not None
    assert report.comparisons[0].result.generalizes_to == "seeds, training sets and examples"


def test_seeds_by_source_reach_the_analysis_and_stay_as_they_were_declared(tmp_path: Path, shallow: Path) -> None:
    from harness.errors import ResultsError
    from harness.runs.preview import preview
    from harness.study.loading import load_study

    (tmp_path / "s.yaml").write_text(
        "name: crossing\n"
        f"model: {shallow}\n"
        "data: {path: embedded/sentiment, train_size: 16, test_size: 20}\n"
        "training: {learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 8}\n"
        "arms:\n"
        "  untrained: {training: {num_train_epochs: 0}}\n"
        "  frozen: {freeze: {layers: 1}}\n"
        "seeds: {initialisation: 4, data_order: 4}\n"
    )
    study = load_study(tmp_path / "s.yaml")
    folder = run_study(study, tmp_path).folder
    manifest = json.loads((folder / "study.json").read_text())
    assert manifest["format"] == 2
    assert manifest["study"]["seeds"] == {"initialisation": 4, "data_order": 4}
    assert [(cell["initialisation"], cell["data_order"]) for cell in manifest["cells"] if cell["arm"] == "frozen"] == [
        (i, j) for i in range(4) for j in range(4)
    ]
    cells = {cell["key"]: cell for cell in manifest["cells"]}
    initialisations: dict[int, set[int]] = {}
    for key, cell in cells.items():
        record = json.loads((folder / "trials" / key / "record.json").read_text())
        assert record["settings"]["seed"] == {name: cell[name] for name in ("initialisation", "data_order")}
        initialisations.setdefault(cell["initialisation"], set()).add(record["streams"]["initialisation"])
    assert [len(drawn) for drawn in initialisations.values()] == [1, 1, 1, 1]
    report = analysis.analyze(folder, resamples=99)
    assert report.crossing == (4, 4)
    result = report.comparisons[0].result
    assert result is not None
    assert result.design == "C"
    # Without training, the data order moves nothing, and the initialisation decides every answer.
    untrained = analysis.records.loading.load(folder).predicted("untrained", seeds=range(16)).reshape(4, 4, 20)
    assert (untrained == untrained[:, :1]).all()
    assert len({tuple(row) for row in untrained[:, 0].tolist()}) > 1
    for seeds in ("{initialisation: 5, data_order: 4}", "16"):
        other = load_study(tmp_path / "s.yaml", [f"seeds={seeds}"])
        for attempt in (lambda again: run_study(again, tmp_path), lambda again: preview(again, folder)):
            with pytest.raises(ResultsError, match="keeps them as they were declared"):
                attempt(other)
    assert run_study(study, tmp_path).ran == 0
