"""Published sentences: what two reports say of arms that were trained once, and what a study must show for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of a report about two systems.

    Parameters
    ----------
    words : str
        In English, as near to the report as a translation can be.
    claims, report : str
        The name of the claims file without its ending, and of the report in it; empty where the file has one.
    pair : tuple of (str, str)
        The two systems, the treatment first, as the claims file pairs them.
    study : str
        The study that retrains them.
    requirement : str
        What the study must show if the sentence is to hold, as `harness analyze --require` takes it.
    """

    words: str
    claims: str
    report: str = ""
    pair: tuple[str, str]
    study: str
    requirement: str

    @property
    def is_about_size(self) -> bool:
        """Whether it says how large a gap can be, rather than that there is one."""
        return "not worse" in self.requirement or "equivalent" in self.requirement


_LORA, _FREEZING, _COSINE = ("lora", "full"), ("freezing", "baseline"), ("cosine", "baseline")

SENTENCES = (
    Sentence(
        words="full fine-tuning is slightly superior",
        claims="gpt2_lora",
        report="first run",
        pair=_LORA,
        study="lora_rank",
        requirement="full better than lora-r4",
    ),
    Sentence(
        words="LoRA is competitive",
        claims="gpt2_lora",
        report="first run",
        pair=_LORA,
        study="lora_rank",
        requirement="lora-r4 not worse than full by 1pp",
    ),
    Sentence(
        words="a drop of 0.69 points",
        claims="distilbert",
        pair=_FREEZING,
        study="distilbert",
        requirement="freezing worse than baseline",
    ),
    Sentence(
        words="the drop is marginal",
        claims="distilbert",
        pair=_FREEZING,
        study="distilbert",
        requirement="freezing not worse than baseline by 1pp",
    ),
    Sentence(
        words="the cosine schedule is statistically similar",
        claims="distilbert",
        pair=_COSINE,
        study="distilbert",
        requirement="cosine equivalent to baseline within 1pp",
    ),
)
"""In the order of the page. A sentence that says two things stands as two."""
