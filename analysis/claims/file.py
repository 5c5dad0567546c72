"""The claims file: what somebody published, figure by figure, as it was printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    model_validator,
)

from analysis.claims.figures import Figure, read_count, read_number, read_share, read_size, read_time
from analysis.errors import PlanError, Problem
from analysis.problems import Allowed, described, either, near, shown

MACRO = "macro"
"""The name that stands for the mean of all classes where a class could stand."""

Said = Literal["differ", "equal"]
Criterion = Literal["accuracy", "f1", "loss"]
Path = tuple[str | int, ...]

_TUNINGS = "all, {freeze: {layers: 3}} or {lora: {r: 4, target_modules: [c_attn]}}"
_SELECTIONS = "last, or {best: accuracy, on: test, epochs: 3}"


class _Block(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _unnamed(value: object) -> object:
    """Put figures that name no class under the empty name."""
    return value if isinstance(value, Mapping) else {"": value}


def _whole(value: object) -> int:
    return 0 if value == "0" else read_count(value)


def _above_zero(figure: Figure) -> Figure:
    if figure.value == 0:
        raise ValueError(f"expected a figure above 0, got {figure.printed!r}")
    return figure


def _sd(figure: Figure) -> Figure:
    # No share scatters more than one that is 0 or 1 by the toss of a coin.
    if not 0 < figure.value <= Fraction(1, 2):
        raise ValueError(f"expected an SD above 0% and at most 50%, got {figure.printed!r}")
    return figure


Share = Annotated[InstanceOf[Figure], BeforeValidator(read_share)]
Number = Annotated[InstanceOf[Figure], BeforeValidator(read_number)]
Time = Annotated[InstanceOf[Figure], BeforeValidator(read_time)]
Size = Annotated[InstanceOf[Figure], BeforeValidator(read_size)]
Count = Annotated[int, BeforeValidator(read_count)]
ByClass = Annotated[dict[str, Share], BeforeValidator(_unnamed)]
Shares = Annotated[tuple[Share, ...], BeforeValidator(_as_tuple)]
Numbers = Annotated[tuple[Number, ...], BeforeValidator(_as_tuple)]


class Lora(_Block):
    """A LoRA adapter, in peft's words.

    Parameters
    ----------
    r
        Its rank.
    target_modules
        The modules that it adapts, by the last part of their names.
    """

    r: Count
    target_modules: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(min_length=1)


class Freeze(_Block):
    """Frozen layers, as in a study file.

    Parameters
    ----------
    layers
        How many layers are frozen after the embeddings.
    """

    layers: Annotated[int, BeforeValidator(_whole)]


class Tuning(_Block):
    """What is trained: everything, where neither an adapter nor frozen layers are given."""

    lora: Lora | None = None
    freeze: Freeze | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, value: object) -> object:
        if value == "all":
            return {}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"expected {_TUNINGS}, got {shown(value)}")
        return value


class Selection(_Block):
    """How the reported epoch was chosen.

    Parameters
    ----------
    best
        The figure by which the best epoch was picked; None for the last epoch.
    on
        Where: on the sentences that are reported, or on others.
    epochs
        From how many epochs; by default as many as the log has.
    """

    best: Criterion | None = None
    on: Literal["test", "holdout"] | None = None
    epochs: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: object) -> object:
        if value == "last":
            return {}
        if not isinstance(value, Mapping) or "best" not in value or "on" not in value:
            raise ValueError(f"expected {_SELECTIONS}, got {shown(value)}")
        return value

    @property
    def on_test(self) -> bool:
        """Whether the best epoch was picked on the very sentences that are reported."""
        return self.best is not None and self.on == "test"


class Log(_Block):
    """Figures by epoch, of one run, from the first epoch on."""

    accuracy: Shares = ()
    f1: Annotated[dict[str, Shares], BeforeValidator(_unnamed)] = {}
    precision: Annotated[dict[str, Shares], BeforeValidator(_unnamed)] = {}
    recall: Annotated[dict[str, Shares], BeforeValidator(_unnamed)] = {}
    loss: Numbers = ()

    @model_validator(mode="after")
    def _as_many_of_each(self) -> Log:
        lengths = {len(figures) for _, figures in self.columns()}
        if len(lengths) != 1:
            said = ", ".join(f"{len(figures)} of {name}" for name, figures in self.columns())
            raise ValueError(f"expected one figure an epoch everywhere, got {said or 'no figure'}")
        return self

    def columns(self) -> list[tuple[str, tuple[Figure, ...]]]:
        """Return every column that the log has, with its name."""
        by_class = [
            (f"{measure} of {name}" if name else measure, figures)
            for measure in ("f1", "precision", "recall")
            for name, figures in getattr(self, measure).items()
        ]
        single = [("accuracy", self.accuracy), ("loss", self.loss)]
        return [(name, figures) for name, figures in [*single, *by_class] if figures]

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.columns()[0][1])


class System(_Block):
    """One row of a published table.

    Parameters
    ----------
    accuracy, error_rate
        One of the two; over several runs their mean.
    sd
        SD of the accuracy over runs.
    f1, precision, recall
        By class, by ``macro``, or under the empty name where the report names no class.
    loss
        On the test set.
    time
        Of the training.
    parameters, trainable, trainable_share
        All parameters, those that are trained, and their share, as printed.
    tuning
        What is trained, so that the numbers of parameters can be judged.
    runs
        How many runs the figures are means of.
    selection
        How the reported epoch was chosen; None where that is not known.
    log
        The figures by epoch.
    settings
        What differs between systems or reports, in any words.
    arm
        The arm of a study that retrains this system; by default the one of its name.
    """

    accuracy: Share | None = None
    error_rate: Share | None = None
    sd: Share | None = None
    f1: ByClass = {}
    precision: ByClass = {}
    recall: ByClass = {}
    loss: Number | None = None
    time: Time | None = None
    parameters: Size | None = None
    trainable: Size | None = None
    trainable_share: Share | None = None
    tuning: Tuning | None = None
    runs: Count = 1
    selection: Selection | None = None
    log: Log | None = None
    settings: dict[str, Any] = {}
    arm: str | None = None

    @property
    def score(self) -> Figure | None:
        """The accuracy, whichever way it is printed."""
        return self.error_rate.complement() if self.error_rate is not None else self.accuracy

    @property
    def epochs(self) -> int | None:
        """From how many epochs the reported one was chosen, where that is known."""
        chosen = self.selection.epochs if self.selection is not None else None
        return chosen or (self.log.epochs if self.log is not None else None)


class Pair(_Block):
    """Two systems that are held against each other; the gap is the treatment's accuracy minus the baseline's.

    Parameters
    ----------
    treatment, baseline
        Two systems of the report.
    said
        Whether the report says that they differ, or that they are equal.
    words
        In which words.
    time_saved, speedup
        What it says about their times.
    """

    treatment: str
    baseline: str
    said: Said | None = None
    words: str | None = None
    time_saved: Share | None = None
    speedup: Annotated[Number, AfterValidator(_above_zero)] | None = None

    def __str__(self) -> str:
        return f"{self.treatment} against {self.baseline}"


class SeedSd(_Block):
    """How far accuracy on this test set scatters over seeds.

    Parameters
    ----------
    value
        The SD.
    runs
        The runs that it was estimated from; None where it is simply supposed.
    """

    value: Annotated[Share, AfterValidator(_sd)]
    runs: Annotated[int, BeforeValidator(read_count), Field(ge=2)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return value if isinstance(value, Mapping) else {"value": value}


class _Head(_Block):
    """What a report says about all its systems."""

    source: str = Field(min_length=1)
    n: Count
    model: str | None = None
    data: str | None = None
    classes: dict[str, Count] = {}
    seed_sd: SeedSd | None = None
    selection: Selection | None = None
    settings: dict[str, Any] = {}
    systems: dict[str, Any] = Field(min_length=1)
    pairs: list[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One published table.

    Parameters
    ----------
    name
        Its name in the file; empty in a file with one report.
    source
        Where it stands.
    n
        Test examples behind every figure.
    model, data
        What was trained, and on what; None where the file does not say.
    classes
        The test examples of each class, in the order of the file; empty where they are not known.
    seed_sd
        How far accuracy scatters over seeds, where the file says.
    systems
        The rows, by name.
    pairs
        The pairs to be judged: those that the file names, else all.
    """

    name: str
    source: str
    n: int
    model: str | None = None
    data: str | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    seed_sd: SeedSd | None = None
    systems: Mapping[str, System]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsFile:
    """What a claims file holds.

    Parameters
    ----------
    title
        Of the audit.
    reports
        One or several; the same pair may stand in more than one.
    """

    title: str
    reports: tuple[Report, ...]


_FIGURE = "a share such as 0.883 or 88.3%"
_PAIR = "{treatment: SYSTEM, baseline: SYSTEM}"
_ALLOWED_HEAD = Allowed(
    keys={
        (): ("title", "reports", *_Head.model_fields),
        ("seed_sd",): tuple(SeedSd.model_fields),
        ("selection",): tuple(Selection.model_fields),
    },
    values={
        ("source",): "a text that says where the figures stand",
        ("n",): "a whole number of test examples above 0",
        ("model",): "a text with the name of a model",
        ("data",): "a text with the name of a data set",
        ("classes",): "a mapping of class to its number of test examples",
        ("seed_sd",): f"{_FIGURE}, or {{value: 0.8%, runs: 5}}",
        ("seed_sd", "runs"): "a whole number of runs from 2",
        ("selection", "best"): either(get_args(Criterion)),
        ("selection", "on"): "'test' or 'holdout'",
        ("settings",): "a mapping of setting to value",
        ("systems",): "a mapping of name to figures, such as {full: {accuracy: 0.883}}",
        ("pairs",): f"a list of {_PAIR}",
    },
    choices={("selection", "best"): get_args(Criterion), ("selection", "on"): ("test", "holdout")},
)
_ALLOWED_SYSTEM = Allowed(
    keys={
        (): tuple(System.model_fields),
        ("selection",): tuple(Selection.model_fields),
        ("log",): tuple(Log.model_fields),
        ("tuning",): tuple(Tuning.model_fields),
        ("tuning", "lora"): tuple(Lora.model_fields),
        ("tuning", "freeze"): tuple(Freeze.model_fields),
    },
    values={
        **{("log", name): "a list of figures, one for each epoch" for name in Log.model_fields},
        ("tuning", "lora", "target_modules"): "a list of module names such as [c_attn]",
        ("selection", "best"): either(get_args(Criterion)),
        ("selection", "on"): "'test' or 'holdout'",
        ("log",): "a mapping such as {accuracy: [0.852, 0.862], loss: [0.33, 0.32]}",
        ("settings",): "a mapping of setting to value",
        ("arm",): "a text with the name of an arm",
    },
    choices={("selection", "best"): get_args(Criterion), ("selection", "on"): ("test", "holdout")},
)
_ALLOWED_PAIR = Allowed(
    keys={(): tuple(Pair.model_fields)},
    values={
        ("treatment",): "the name of a system",
        ("baseline",): "the name of a system",
        ("said",): either(get_args(Said)),
        ("words",): "a text",
    },
    choices={("said",): get_args(Said)},
)


def claims_problems(content: Mapping[str, Any]) -> tuple[ClaimsFile | None, tuple[Problem, ...]]:
    """Read a claims file, and list everything that is wrong with it.

    Parameters
    ----------
    content
        The file, with every scalar as the text that stands there: a number would have lost its trailing zeros.

    Returns
    -------
    tuple
        The file, None where something is wrong; and the problems, in the order of the file.
    """
    shared = {key: value for key, value in content.items() if key not in ("title", "reports")}
    title = content.get("title")
    problems: list[Problem] = []
    if title is not None and not isinstance(title, str):
        problems.append(Problem(path=("title",), message=f"expected a text, got {shown(title)}"))
    bodies = content.get("reports", {"": {}})
    if not isinstance(bodies, Mapping) or not bodies:
        wanted = "expected a mapping of name to report"
        return None, (*problems, Problem(path=("reports",), message=f"{wanted}, got {shown(bodies)}"))
    reports = []
    for name, body in bodies.items():
        prefix: Path = ("reports", name) if name else ()
        if not isinstance(body, Mapping):
            problems.append(Problem(path=prefix, message=f"expected a mapping, got {shown(body)}"))
            continue
        report, found = _report(str(name), _over(shared, body))
        # What a report takes over from the top of the file stands there.
        problems += [
            Problem(path=(*prefix, *one.path) if not one.path or one.path[0] in body else one.path, message=one.message)
            for one in found
        ]
        reports.append(report)
    unique = tuple(dict.fromkeys(problems))
    if unique:
        return None, unique
    return ClaimsFile(title=title or "", reports=tuple(one for one in reports if one is not None)), ()


def _over(shared: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a report over what holds for all of them; settings add up."""
    settings = [block["settings"] for block in (shared, body) if isinstance(block.get("settings"), Mapping)]
    merged = {**shared, **body}
    return {**merged, "settings": {**settings[0], **settings[1]}} if len(settings) == 2 else merged


def parse_claims_file(content: Mapping[str, Any]) -> ClaimsFile:
    """Read a claims file.

    Parameters
    ----------
    content
        The file, with every scalar as the text that stands there.

    Raises
    ------
    PlanError
        With every problem of the file.

    Examples
    --------
    >>> file = parse_claims_file({
    ...     "source": "table 2", "n": "872", "systems": {"full": {"accuracy": "0.883"}, "lora": {"accuracy": "0.862"}},
    ... })
    >>> [str(pair) for pair in file.reports[0].pairs]
    ['lora against full']
    """
    file, problems = claims_problems(content)
    if file is None:
        raise PlanError(problems)
    return file


def _report(name: str, body: Mapping[str, Any]) -> tuple[Report | None, list[Problem]]:
    try:
        head = _Head.model_validate(dict(body))
    except ValidationError as error:
        # The rest is checked all the same, so that one report holds all problems.
        problems = described(error, allowed=_ALLOWED_HEAD, prefix=())
        systems, pairs = body.get("systems"), body.get("pairs")
        if isinstance(systems, Mapping):
            problems += _systems(systems)[1]
            problems += _pairs(pairs, list(systems))[1] if isinstance(pairs, list) else []
        return None, problems
    problems = _wrong_classes(head)
    systems, found = _systems(head.systems)
    problems += found
    for system_name, system in systems.items():
        problems += [
            Problem(path=("systems", system_name, *path), message=message)
            for path, message in _wrong_system(system, head)
        ]
    pairs, found = _pairs(head.pairs, list(head.systems))
    problems += found
    if problems:
        return None, problems
    settled = {
        system_name: system.model_copy(
            update={"selection": system.selection or head.selection, "settings": {**head.settings, **system.settings}}
        )
        for system_name, system in systems.items()
    }
    shared = {key: getattr(head, key) for key in ("source", "n", "model", "data", "classes", "seed_sd")}
    return Report(name=name, systems=settled, pairs=pairs, **shared), []


def _systems(systems: Mapping[str, Any]) -> tuple[dict[str, System], list[Problem]]:
    read: dict[str, System] = {}
    problems: list[Problem] = []
    for name, figures in systems.items():
        path: Path = ("systems", name)
        if not isinstance(figures, Mapping):
            problems.append(Problem(path=path, message=f"expected a mapping of figures, got {shown(figures)}"))
            continue
        try:
            read[name] = System.model_validate(dict(figures))
        except ValidationError as error:
            found = described(error, allowed=_ALLOWED_SYSTEM, prefix=path)
            # The empty name of a class that the report does not name is no key of the file.
            problems += [dataclasses.replace(one, path=tuple(part for part in one.path if part != "")) for one in found]
    return read, problems


def _wrong_classes(head: _Head) -> list[Problem]:
    counts = list(head.classes.values())
    if not counts:
        return []
    if len(counts) < 2:
        return [Problem(path=("classes",), message=f"expected two classes or more, got {len(counts)}")]
    if sum(counts) != head.n:
        sums = f"{' + '.join(map(str, counts))} = {sum(counts)}"
        return [Problem(path=("classes",), message=f"expected counts that add up to n = {head.n}, got {sums}")]
    return []


def _wrong_system(system: System, head: _Head) -> list[tuple[Path, str]]:
    """List what cannot be true of one system at once."""
    wrong: list[tuple[Path, str]] = []
    if system.accuracy is not None and system.error_rate is not None:
        wrong.append((("error_rate",), "expected accuracy or error_rate, got both"))
    if system.sd is not None and system.runs < 2:
        wrong.append((("sd",), "an SD over runs takes two runs or more; say how many, such as runs: 5"))
    if system.log is not None and system.runs > 1:
        wrong.append((("log",), f"a log is of one run, and this system has runs: {system.runs}"))
    if system.trainable and system.parameters and system.trainable.low > system.parameters.high:
        said = f"{system.trainable.printed} of {system.parameters.printed}"
        wrong.append((("trainable",), f"expected at most all parameters, got {said}"))
    selection = system.selection or head.selection
    stated = selection.epochs if selection is not None else None
    if stated is not None and system.log is not None and stated != system.log.epochs:
        wrong.append((("log",), f"expected as many epochs as selection.epochs = {stated}, got {system.log.epochs}"))
    blocks = [("", system), *([("log", system.log)] if system.log is not None else [])]
    for place, block in blocks:
        for measure in ("f1", "precision", "recall"):
            for name in getattr(block, measure):
                if head.classes and name and name != MACRO and name not in head.classes:
                    known = [*head.classes, MACRO]
                    path = (*([place] if place else []), measure, name)
                    wrong.append((path, f"expected {either(known)}, got {name!r}{near(name, known)}"))
    return wrong


def _pairs(pairs: Sequence[Any] | None, systems: Sequence[str]) -> tuple[tuple[Pair, ...], list[Problem]]:
    if pairs is None:
        return tuple(Pair(treatment=later, baseline=first) for first, later in combinations(systems, 2)), []
    read: list[Pair] = []
    problems: list[Problem] = []
    for position, body in enumerate(pairs):
        path: Path = ("pairs", position)
        if not isinstance(body, Mapping):
            problems.append(Problem(path=path, message=f"expected {_PAIR}, got {shown(body)}"))
            continue
        try:
            pair = Pair.model_validate(dict(body))
        except ValidationError as error:
            problems += described(error, allowed=_ALLOWED_PAIR, prefix=path)
            continue
        for side in ("treatment", "baseline"):
            name = getattr(pair, side)
            if name not in systems:
                said = f"expected a system of this report ({', '.join(systems)}), got {name!r}{near(name, systems)}"
                problems.append(Problem(path=(*path, side), message=said))
        if pair.treatment == pair.baseline:
            problems.append(Problem(path=path, message=f"expected two systems, got {pair.treatment!r} on both sides"))
        read.append(pair)
    return tuple(read), problems
