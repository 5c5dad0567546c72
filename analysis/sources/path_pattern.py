"""Path patterns: `runs/{arm}/seed{seed}/preds.csv` finds files, and reads the arm and the seed off their paths."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis.sources.agreement import few

_TOKEN = re.compile(r"\{([^{}]*)\}|\*+")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern of paths with ``{arm}``, ``{seed}`` and ``*``, none of which crosses a slash.

    Parameters
    ----------
    text : str
        As it was given.

    Examples
    --------
    >>> PathPattern("runs/{arm}_{seed}.csv").readings(Path("runs/lora_r8_3.csv"))
    [('lora_r8', '3')]

    A seed is a number where that is possible. What a path can be read as in two ways is told twice.

    >>> PathPattern("{arm}_{seed}.csv").readings(Path("lora_r8_a.csv"))
    [('lora_r8', 'a'), ('lora', 'r8_a')]
    >>> PathPattern("{arm}/preds.csv").readings(Path("lora/preds.csv"))
    [('lora', None)]
    """

    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The pattern between its slashes."""
        return Path(self.text).parts

    def problems(self) -> list[str]:
        """Return what is wrong with the pattern; nothing where it can be used."""
        wrong = []
        for token in _TOKEN.finditer(self.text):
            name = token[1]
            if token[0].startswith("**"):
                wrong.append("'*' stands for a part of one name; write a '*' for each folder instead of '**'")
            elif name not in (None, "arm", "seed"):
                near = difflib.get_close_matches(name, ("arm", "seed"), n=1)
                wrong.append(
                    f"got {token[0]}, "
                    + (f"did you mean {{{near[0]}}}?" if near else "allowed are {arm}, {seed} and '*'")
                )
        if not any(name in self.text for name in ("{arm}", "{seed}")):
            wrong.append("it has neither {arm} nor {seed}; files that hold both are named without a pattern")
        return [f"--pattern {self.text}: {problem}" for problem in wrong]

    def readings(self, path: Path) -> list[tuple[str | None, str | None]]:
        """Return the arm and the seed that the end of a path names: no pair if it matches not, two if both fit."""
        tail = "/".join(path.parts[-len(self.parts) :])
        for seed in (r"\d+", "[^/]+"):
            # The longest and the shortest reading of the first placeholder: where they are one, there is no other.
            matches = [self._regex(seed, lazy).fullmatch(tail) for lazy in ("", "?")]
            found = [(m.groupdict().get("arm"), m.groupdict().get("seed")) for m in matches if m]
            if found:
                return list(dict.fromkeys(found))
        return []

    def paths_in(self, folder: Path) -> list[Path]:
        """Return the files under a folder that match, in natural order."""
        files = (path for path in self._levels(folder)[-1] if path.is_file())
        return sorted((path for path in files if self.readings(path)), key=natural)

    def nothing_in(self, folder: Path) -> str:
        """Say, for a folder without matching files, how far the pattern matches and what is there instead."""
        levels = [level for level in self._levels(folder) if level]
        nearest = min(levels[-1], key=natural)
        if len(levels) > len(self.parts):
            there = (
                f"{nearest} is a folder, and the pattern must end with the name of a file"
                if nearest.is_dir()
                else f"{nearest} does not repeat the same arm and seed"
            )
        elif not nearest.is_dir():
            there = f"{nearest} is a file, not a folder"
        else:
            there = f"{holds(nearest)}; nothing there matches '{self.parts[len(levels) - 1]}'"
        return f"--pattern {self.text}: no file matches: {there}"

    def _levels(self, folder: Path) -> list[list[Path]]:
        """Return the paths that match the pattern up to each slash, from the folder on."""
        levels = [[folder]]
        for part in self.parts:
            if _TOKEN.search(part):
                regex = re.compile(_replaced(part, lambda name: ".+" if name else ".*"))
                children = (child for parent in levels[-1] if parent.is_dir() for child in parent.iterdir())
                # As in a shell, what begins with a dot is hidden.
                levels.append([c for c in children if regex.fullmatch(c.name) and (part[0] == "." or c.name[0] != ".")])
            else:
                levels.append([parent / part for parent in levels[-1] if (parent / part).exists()])
        return levels

    def _regex(self, seed: str, lazy: str) -> re.Pattern[str]:
        kinds = {"arm": "[^/]+", "seed": seed}
        seen: set[str] = set()

        def wildcard(name: str | None) -> str:
            if name is None:
                return f"[^/]*{lazy}"
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            return f"(?P<{name}>{kinds[name]}{lazy})"

        return re.compile(_replaced("/".join(self.parts), wildcard))


def natural(path: Path) -> list[list[tuple[str, int]]]:
    """Return what paths are sorted by, so that ``seed2`` comes before ``seed10``."""
    return [[(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", part)] for part in path.parts]


def holds(folder: Path) -> str:
    """Say what is in a folder."""
    names = [path.name for path in sorted(folder.iterdir(), key=natural)]
    return f"{folder} holds {few(names)}" if names else f"{folder} is empty"


def _replaced(text: str, wildcard: Callable[[str | None], str]) -> str:
    """Turn a pattern into a regular expression, its placeholders and stars into what the function says."""
    regex, end = "", 0
    for token in _TOKEN.finditer(text):
        regex += re.escape(text[end : token.start()]) + wildcard(token[1])
        end = token.end()
    return regex + re.escape(text[end:])
