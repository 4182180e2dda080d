"""The values that the state machine draws from."""

from __future__ import annotations

from hypothesis import strategies as st
from machine_changes import CHANGES
from machine_clouds import MAX_SINGLE_CONFIRMS
from proxy import Lose

from sync.domain.apis import APIS
from sync.simulator import ADMIN_ROLES, LOST_MARKERS, Viewer

WHO = st.sampled_from(["first", "second", "first"])
USUAL = ("create", "change", "edit", "delete", "restore", "swap")
CHANGE = st.tuples(st.sampled_from((*USUAL, *USUAL, *CHANGES)), st.sampled_from([1, 2, 3, 4, 13, 24]))
FIRST = st.lists(CHANGE, max_size=3)
MIDWAY = st.dictionaries(st.integers(1, 8), CHANGE, max_size=3)
WORLDS = st.fixed_dictionaries(
    {
        "api": st.sampled_from(sorted(APIS)),
        "size": st.sampled_from([30, 45, 60, 8, 0]),
        "page_cap": st.sampled_from([12, 20, None]),
        "unstable_ties": st.booleans(),
        "show_deleted": st.booleans(),
        "ties": st.sampled_from([0, 0, 24]),
        "lost_marker": st.sampled_from(LOST_MARKERS),
    }
)
OPTIONS = st.fixed_dictionaries(
    {
        "concurrency": st.sampled_from([1, 3]),
        "max_single_confirms": st.sampled_from(MAX_SINGLE_CONFIRMS),
        "max_gap_requests": st.sampled_from([500, 1, 0]),
        "max_retries": st.sampled_from([0, 0, 1]),
        "max_deletions": st.sampled_from([10, 3]),
        "max_daily_deletions": st.sampled_from([1000, 6]),
        "max_daily_deletions_percent": st.sampled_from([100, 20]),
        "grace": st.sampled_from([0.0, 3600.0, 0.0]),
    }
)
VIEWERS = (Viewer(), Viewer(roles=("reader",)), Viewer(roles=ADMIN_ROLES), Viewer("3" * 32), Viewer())
LOSSES = (Lose.REQUEST, Lose.REPLY)  # a silent peer would cost each run its whole deadline
CONTENTS = ("images", "image_versions", "quarantine", "held_deletions", "missing_images", "findings")
