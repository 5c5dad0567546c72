"""Candidates of a search as they are stored: which search they belong to, and which of them won."""

from __future__ import annotations

from pydantic import ValidationError

from harness.records.record import digest
from harness.records.store import FINAL, Store
from harness.study.grid import with_settings
from harness.study.settings import Arm, Search
from harness.study.study import Study
from harness.study.trials import TUNING_SEED, Trial, make_trial


def search_identity(base: Trial, search: Search) -> str:
    """Return what identifies a search: a hash of all that its candidates depend on, but for their number."""
    # The key, not the content: what an earlier version trained otherwise is no candidate of this search.
    return digest({"base": base.key, "space": search.model_dump(mode="json", exclude={"trials", "batch"})})


def tuned_arm(study: Study, name: str, arm: Arm, *, store: Store, model: str, data: str) -> Arm | None:
    """Return an arm with the winner of its search filled in; None where the search has not ended.

    Parameters
    ----------
    study, name, arm
        The study, and one of its arms; one without a search is returned as it is.
    store : Store
        The study's results.
    model, data : str
        What identifies the checkpoint's content and the processed data's.
    """
    search = arm.search
    if search is None:
        return arm

    def candidate(settings: Arm) -> Trial:
        return make_trial(study, name, settings, seed=TUNING_SEED, model=model, data=data, tuning=True)

    identity = search_identity(candidate(arm), search)
    best, most = None, float("-inf")
    for number in range(search.trials):
        record = store.known_candidate(identity, number)
        if record is None or record.status not in FINAL or record.tuning is None:
            return None
        try:
            settings = with_settings(arm, record.tuning.params)
        except ValidationError:
            return None
        if candidate(settings).key != record.key:
            return None
        # The earliest of equals, as in the search itself.
        if record.tuning.value is not None and record.tuning.value > most:
            best, most = settings, record.tuning.value
    return best
