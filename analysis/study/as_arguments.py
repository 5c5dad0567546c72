"""Options of `harness import` in a message, as the arguments of `compare`."""

from __future__ import annotations

import json
import re
import shlex

_QUOTED = r"'[^']*'|\"[^\"]*\""
_VALUE = rf"((?:{_QUOTED}|[^\s,;()'])*(?:{_QUOTED}|[^\s,;.:()']))"
_LIST = rf"((?:{_QUOTED})+|[^\s;']+,[^\s;']*[^\s,;.:'])"
_FILES = r"--labels FILE reads them from a file of their own; |, or read it off the path by --pattern"
"""What nobody can do who has no files."""


def as_arguments(problem: str) -> str:
    """Return a message with arguments of `compare` in the place of options.

    Parameters
    ----------
    problem : str
        A message that speaks of options as the shell takes them, values with blanks in quotation marks.

    Examples
    --------
    >>> as_arguments("choose with --column run='my seed', or --task regression")
    'choose with columns={"run": "my seed"}, or task="regression"'
    >>> as_arguments("if these are classes, --classes no,yes; else leave out --classes and --logits")
    'if these are classes, classes=["no", "yes"]; else leave out classes and logits=True'
    """
    problem = re.sub(_FILES, "", problem)
    problem = re.sub(rf"--column {_VALUE}", lambda found: _column(_plain(found[1])), problem)
    problem = re.sub(rf"--classes {_LIST}", lambda found: f"classes={_shown(_plain(found[1]).split(','))}", problem)
    problem = re.sub(rf"--(task|metric) {_VALUE}", lambda found: f"{found[1]}={_shown(_plain(found[2]))}", problem)
    problem = problem.replace("--unpaired", "paired=False")
    problem = re.sub(
        "--(logits|lower-is-better|common-examples)", lambda found: f"{found[1].replace('-', '_')}=True", problem
    )
    return re.sub(r"--(classes|task|metric|labels|baseline|margin)\b", r"\1", problem)


def _plain(value: str) -> str:
    return "".join(shlex.split(value))


def _column(text: str) -> str:
    role, _, column = text.partition("=")
    return f"columns={{{_shown(role)}: {_shown(column)}}}"


def _shown(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
