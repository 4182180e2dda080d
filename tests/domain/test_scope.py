"""The scope of credentials: one canonical text, whatever the order of the roles."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from sync.domain.apis import GLANCE, IEC, IMS
from sync.domain.apis.api import Api
from sync.domain.run import Source
from sync.domain.scope import Scope


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (Scope(), ""),
        (Scope("c1a5"), "project=c1a5"),
        (Scope("c1a5", ("reader", "member", "reader")), "project=c1a5&roles=member,reader"),
    ],
)
def test_the_text_is_canonical(scope: Scope, text: str) -> None:
    """Roles are sorted and distinct; what is not known is left out."""
    assert scope.text() == text


def test_odd_names_stay_apart() -> None:
    """A role's name can't look like another project or role."""
    text = Scope("p", ("a&project=q", "b c")).text()

    assert parse_qs(text) == {"project": ["p"], "roles": ["a&project=q,b c"]}
    assert text != Scope("p", ("a", "project=q", "b c")).text()


def test_an_administrator_sees_all() -> None:
    """The role is compared as image services do: without regard to case, as a whole word."""
    assert [Scope("p", (role,)).sees_all for role in ("admin", "Admin", "te_admin", "reader")] == [
        True,
        True,
        False,
        False,
    ]
    assert not Scope().sees_all


@pytest.mark.parametrize(
    ("scope", "own", "others", "unknown"),
    [
        (Scope(), True, True, True),
        (Scope("p", ("reader",)), True, False, False),
        (Scope("p", ("Admin",)), True, True, True),
    ],
)
def test_whose_images_are_gone_if_they_are_not_found(scope: Scope, own: bool, others: bool, unknown: bool) -> None:  # noqa: FBT001 - drawn
    """Only an image of the token's own project; all of them, if the token sees all or is for no project."""
    assert [scope.owns(owner, admins_see_all=True) for owner in ("p", "q", None)] == [own, others, unknown]


@pytest.mark.parametrize(
    ("api", "scope", "filter", "gone"),
    [
        (IEC, Scope(), "", {"p", "q", None}),
        (GLANCE, Scope("p", ("reader",)), "", {"p"}),
        (GLANCE, Scope("p", ("admin",)), "", {"p", "q", None}),
        (GLANCE, Scope("p", certain=False), "", set()),
        (IMS, Scope("p", ("admin",)), "", {"p"}),
        (IMS, Scope("p"), "__os_type=Linux", {"p"}),
        (IMS, Scope("p"), "enterprise_project_id=all_granted_eps", set()),
        (IMS, Scope("p"), "__os_type=Linux&enterprise_project_id=0", set()),
    ],
)
def test_what_may_be_called_deleted(api: Api, scope: Scope, filter: str, gone: set[str | None]) -> None:
    """An image that is not found is gone only if these credentials would see it: else it may be out of their reach."""
    source = Source("s", "https://example.org", filter, api)

    assert {owner for owner in ("p", "q", None) if source.is_gone(scope, owner)} == gone
