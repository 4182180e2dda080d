"""How a source reaches its API: the catalog's address, the project of its token, and the same one for a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from credential_tools import page, together
from identity_server import ROLES, Identity
from settings_tools import SUPPORT

from sync.cloud.access import Access, token_expiry
from sync.cloud.retry import RetryPolicy
from sync.cloud.session import open_session
from sync.domain.scope import Scope
from sync.errors import RejectedError, UnauthorizedError
from sync.logs import mask
from sync.settings import Source, load

USER = {
    "USERNAME": "reader",
    "PASSWORD": "canary-p4ss",
    "USER_DOMAIN": "Default",
    "PROJECT": "demo",
    "PROJECT_DOMAIN": "acme",
}
APPLICATION = {"APPLICATION_CREDENTIAL_ID": "a1", "APPLICATION_CREDENTIAL_SECRET": "canary-s3cret"}


@pytest.fixture
def identity() -> Iterator[Identity]:
    """An identity service, and an image service in its catalog."""
    with Identity() as service:
        yield service


Make = Callable[..., Source]


@pytest.fixture
def make(identity: Identity) -> Make:
    """A function that makes a source from variables."""

    def source(api: str = "glance", **values: str) -> Source:
        environ = {"API": api, "IAM_ENDPOINT": f"{identity.url}/v3", **values}
        return load({f"IMAGE_SYNC_{name}": value for name, value in environ.items()}, apis=SUPPORT).sources[0]

    return source


def access(source: Source) -> Access:
    """The way of one run."""
    return Access(source, RetryPolicy(60, 0))


def reached(source: Source) -> tuple[str, Scope]:
    """The endpoint and the scope of a run."""
    way = access(source)
    return way.endpoint(), way.scope()


def error_of(source: Source) -> str:
    """The error of a run that can't find its endpoint or scope."""
    with pytest.raises(RejectedError) as caught:
        reached(source)
    assert "canary" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("credentials", [USER, APPLICATION])
def test_the_catalog_names_the_endpoint(identity: Identity, make: Make, credentials: dict[str, str]) -> None:
    """Without an endpoint one login asks for the catalog; path prefixes are kept, a version at the end is not."""
    way = access(make(**credentials))

    assert way.endpoint() == identity.url.replace("/identity", "/image")
    assert way.scope() == Scope("p1", ROLES)
    assert [asked.target for asked in identity.logins] == ["/identity/v3/auth/tokens"]


def test_the_catalog_is_not_asked_for_in_vain(identity: Identity, make: Make) -> None:
    """Where the endpoint is set, the catalog is left out; IEC's run asks for no scope at all."""
    glance, iec = make(ENDPOINT="https://h", **USER), make("iec", ENDPOINT="https://h", **USER)

    assert access(glance).scope().text() == "project=p1&roles=member,reader"
    assert access(iec).scope() == Scope()
    assert [asked.target for asked in identity.logins] == ["/identity/v3/auth/tokens?nocatalog=true"]


@pytest.mark.parametrize(
    ("own", "user", "scope"),
    [
        ({"DOMAIN": "d"}, {"name": "d"}, {"domain": {"name": "d"}}),
        ({"DOMAIN_ID": "1"}, {"id": "1"}, {"domain": {"id": "1"}}),
        ({"USER_DOMAIN": "u"}, {"name": "u"}, {"domain": {"name": "u"}}),
        ({"USER_DOMAIN_ID": "2", "DOMAIN": "d"}, {"id": "2"}, {"domain": {"name": "d"}}),
        ({"DOMAIN": "d", "PROJECT": "p"}, {"name": "d"}, {"project": {"name": "p", "domain": {"name": "d"}}}),
        ({"USER_DOMAIN": "u", "PROJECT": "p"}, {"name": "u"}, {"project": {"name": "p", "domain": {"name": "u"}}}),
        (
            {"USER_DOMAIN": "u", "PROJECT": "p", "PROJECT_DOMAIN_ID": "3"},
            {"name": "u"},
            {"project": {"name": "p", "domain": {"id": "3"}}},
        ),
        ({"USER_DOMAIN": "u", "DOMAIN": "d", "PROJECT_ID": "4"}, {"name": "u"}, {"project": {"id": "4"}}),
    ],
)
def test_whose_domain_is_whose(
    identity: Identity, make: Make, own: dict[str, str], user: dict[str, str], scope: dict[str, object]
) -> None:
    """The domains of the user and of the scope are their own, else the common one, else the user's."""
    access(make("iec", ENDPOINT="https://h", USERNAME="x", PASSWORD="y", **own)).credential.grant()
    auth = json.loads(identity.asked[0].body)["auth"]

    assert auth["identity"]["password"]["user"]["domain"] == user
    assert auth["scope"] == scope


def test_a_session_reads_at_the_catalogs_endpoint(identity: Identity, make: Make) -> None:
    """The requests for images go to the address of the catalog, with its prefix and the token."""
    with open_session(make(**USER), RetryPolicy(60, 0)) as session:
        assert session.scope() == Scope("p1", ROLES)
        page(session.client)

    assert identity.asked[-1].target.startswith("/image/")
    assert identity.asked[-1].headers["x-auth-token"] == "canary-token-1"
    assert identity.tokens == 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("", "has no image service, only identity; set endpoint"),
        ("http://image.example.com:9292", "plain http, which would show the token to the network"),
        ("ftp://image.example.com", "can't be used; set endpoint"),
        ("https://image.example.com/v2/images", "can't be used; set endpoint"),
        ("https://user:canary@image.example.com", "can't be used; set endpoint"),
    ],
)
def test_an_address_that_is_not_used(identity: Identity, make: Make, image: str, words: str) -> None:
    """No image service, plain http to another machine, and what is no address are one sentence each."""
    identity.image = image

    assert words in error_of(make(**USER))


def test_a_service_that_came_into_the_catalog(identity: Identity, make: Make) -> None:
    """A catalog of an earlier run that lacks the service is asked for again, once a run, so that a fix takes effect."""
    source, image, identity.image = make(**USER), identity.image, ""
    error_of(source)
    assert identity.tokens == 1
    error_of(source)
    assert identity.tokens == 2
    identity.image = image

    assert access(source).endpoint() == identity.url.replace("/identity", "/image")
    assert access(source).endpoint() == identity.url.replace("/identity", "/image")
    assert identity.tokens == 3


def test_plain_http_may_be_allowed(identity: Identity, make: Make) -> None:
    """With allow_http the catalog's address may be plain http, as one in the settings."""
    identity.image = "http://image.example.com:9292/"

    assert access(make(**USER, ALLOW_HTTP="true")).endpoint() == "http://image.example.com:9292"


def test_a_region_that_is_not_there(make: Make) -> None:
    """A region that the catalog does not have is an error that names those it has."""
    assert "no image service in region south; set region to one of north" in error_of(make(**USER, REGION="south"))
    assert "no internal address" in error_of(make(**USER, INTERFACE="internal"))


def test_a_token_of_a_domain(identity: Identity, make: Make) -> None:
    """A token without a project can't say whose images are listed."""
    identity.scope = None

    for values in (USER, {"TOKEN": "given"}):
        assert "the token is for no project, but OpenStack Glance lists the images of one" in error_of(make(**values))


def test_another_scope_within_a_run(identity: Identity, make: Make) -> None:
    """A second login of a run that gives another project or other roles ends it; a new run takes what it gets."""
    source = make(**USER)
    way = access(source)
    first = way.credential.headers("GET", "https://h")
    identity.scope = ("p1", ("reader",))
    assert way.credential.renew(first)
    with pytest.raises(
        RejectedError, match="changed during the run: from project=p1&roles=member,reader to project=p1&r"
    ):
        way.credential.headers("GET", "https://h")

    assert access(source).scope() == Scope("p1", ("reader",))


def test_a_login_of_another_run(identity: Identity, make: Make) -> None:
    """A run goes on with a token that another run of the same login requested, but only within the same scope."""
    source = make(**USER)
    one, other = access(source), access(source)
    first = one.credential.headers("GET", "https://h")
    other.credential.headers("GET", "https://h")
    identity.scope = ("p2", ROLES)
    one.credential.renew(first)

    with pytest.raises(RejectedError, match="to project=p2"):
        other.scope()


def test_roles_may_change_for_an_account(identity: Identity, make: Make) -> None:
    """IEC lists an account: its runs do not depend on the roles of a token."""
    way = access(make("iec", ENDPOINT="https://h", **USER))
    first = way.credential.headers("GET", "https://h")
    identity.scope = ("p1", ())

    assert way.credential.renew(first)
    assert way.credential.headers("GET", "https://h")["X-Auth-Token"] == "canary-token-2"


def test_a_given_token_is_looked_up(identity: Identity, make: Make) -> None:
    """With the identity service's address a run asks once what the token is for, by the token itself."""
    way = access(make(TOKEN="given", PROJECT_ID="p1"))

    assert way.endpoint() == identity.url.replace("/identity", "/image")
    assert way.scope() == Scope("p1", ROLES)
    (asked,) = identity.asked
    assert (asked.line.split()[0], asked.target) == ("GET", "/identity/v3/auth/tokens")
    assert (asked.headers["x-auth-token"], asked.headers["x-subject-token"]) == ("given", "given")


def test_a_given_token_of_another_project(make: Make) -> None:
    """The project that the settings name must be the token's."""
    assert "the token is for the project p1, not for project_id p2" in error_of(make(TOKEN="given", PROJECT_ID="p2"))


def test_a_given_token_that_nothing_is_asked_about() -> None:
    """Without the identity service the project is the one that the settings name; access keys are the same."""
    common = {"API": "ims", "ENDPOINT": "https://h", "PROJECT_ID": "p1"}
    sources = []
    for own in ({"TOKEN": "given"}, {"ACCESS_KEY": "ak", "SECRET_KEY": "sk"}):
        environ = {f"IMAGE_SYNC_{name}": value for name, value in (common | own).items()}
        sources += load(environ, apis=SUPPORT).sources

    assert [access(each).scope().text() for each in sources] == ["project=p1", "project=p1"]


def test_a_refused_token_is_read_again_before_it_is_looked_up(identity: Identity, make: Make, tmp_path: Path) -> None:
    """A token that was replaced in its file is looked up in the same run; the same one is asked about once."""
    file = tmp_path / "token"
    file.write_text("canary-old-0123456789")
    source = make(TOKEN_FILE=str(file))
    identity.refused = {"canary-old-0123456789"}
    with pytest.raises(UnauthorizedError, match="refuses the token; renew it"):
        access(source).scope()
    file.write_text("canary-new-0123456789")

    assert access(source).scope() == Scope("p1", ROLES)
    assert mask("it is canary-new-0123456789") == "it is ***"
    assert len(identity.asked) == 3


def test_a_new_token_of_another_project(identity: Identity, make: Make, tmp_path: Path) -> None:
    """A token that replaces a refused one in a run must be for the same project, whichever thread comes first."""
    file = tmp_path / "token"
    file.write_text("canary-old-0123456789")
    with open_session(make(TOKEN_FILE=str(file)), RetryPolicy(60, 0)) as session:
        session.scope()
        page(session.client)
        identity.refused, identity.scope = {"canary-old-0123456789"}, ("p2", ROLES)
        file.write_text("canary-new-0123456789")
        errors = together(4, lambda: page(session.client))
        errors += together(2, lambda: page(session.client))

    assert [type(error) for error in errors] == [RejectedError] * 6
    assert "to project=p2" in str(errors[0])


def test_a_new_secret_of_an_application_credential(identity: Identity, make: Make, tmp_path: Path) -> None:
    """A refused secret is read again from its file, and tried once; logs mask it, and the error names what to check."""
    file = tmp_path / "secret"
    file.write_text("canary-old-0123456789")
    source = make(APPLICATION_CREDENTIAL_ID="a1", APPLICATION_CREDENTIAL_SECRET_FILE=str(file))
    identity.refused = {"canary-old-0123456789", "canary-wrong-0123456789"}
    file.write_text("canary-wrong-0123456789")
    with pytest.raises(UnauthorizedError) as caught:
        access(source).endpoint()
    assert "check id (or name and user) and secret of the application credential" in str(caught.value)
    assert "the new secret from its file is refused, too" in str(caught.value)
    with pytest.raises(
        UnauthorizedError, match="write another secret to the file of `application_credential_secret_file`"
    ):
        access(source).endpoint()
    file.write_text("canary-new-0123456789")

    assert access(source).scope() == Scope("p1", ROLES)
    assert mask("it is canary-new-0123456789") == "it is ***"
    assert len(identity.logins) == 3


def test_an_administrator_is_warned_of_once(identity: Identity, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A run whose token has the role admin says once that it sees all projects' images."""
    identity.scope = ("p1", ("admin", "member"))
    way = access(make(**USER))
    for _ in range(2):
        assert way.scope().sees_all
    warnings = [record for record in caplog.records if record.getMessage() == "token of an administrator"]

    assert len(warnings) == 1
    assert "sees all projects' images" in str(vars(warnings[0]))


def test_when_the_token_of_a_source_expires(make: Make) -> None:
    """It is known of tokens that the job requested itself, of an application credential as of a user."""
    sources = [
        make(**USER, ENDPOINT="https://other"),
        make(**APPLICATION, ENDPOINT="https://other"),
        make(TOKEN="given"),
    ]
    assert [token_expiry(source) for source in sources] == [None, None, None]
    for source in sources:
        access(source).scope()

    assert [token_expiry(source) is not None for source in sources] == [True, True, False]


@pytest.mark.parametrize(("api", "sent"), [("iec", "X-Domain-Id"), ("ims", "X-Project-Id")])
def test_the_ids_that_signed_requests_carry(api: str, sent: str) -> None:
    """A global service gets the id of the account, a regional one that of the project, even if both are set."""
    own = {"ENDPOINT": "https://h", "ACCESS_KEY": "ak", "SECRET_KEY": "sk", "DOMAIN_ID": "d1", "PROJECT_ID": "p1"}
    environ = {f"IMAGE_SYNC_{name}": value for name, value in {"API": api, **own}.items()}
    headers = access(load(environ, apis=SUPPORT).sources[0]).credential.headers("GET", "https://h/")

    assert {"X-Domain-Id", "X-Project-Id"} & set(headers) == {sent}


def scopes_of(sources: list[Source], at_once: int) -> list[object]:
    """The scope of each source, or its error; several runs at the same time."""

    def scope(source: Source) -> object:
        try:
            return access(source).scope()
        except UnauthorizedError as error:
            return error

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(scope, sources))


def projects(make: Make, *names: str) -> list[Source]:
    """A source of the same user for each project."""
    return [make(ENDPOINT="https://h", **USER | {"PROJECT": name}) for name in names]


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_wrong_password_for_many_projects(identity: Identity, make: Make, at_once: int) -> None:
    """A user with many projects and a wrong password is not locked: two logins in all, however many runs there are."""
    identity.refused = {"canary-p4ss"}
    sources = projects(make, *"abcdefgh")
    for _ in range(2):
        assert all(isinstance(each, UnauthorizedError) for each in scopes_of(sources, at_once))

    assert len(identity.logins) == 2
    assert "scope" not in json.loads(identity.logins[1].body)["auth"]


def test_an_identity_service_that_needs_a_scope(identity: Identity, make: Make) -> None:
    """Where a login without a project is not understood, a second project is tried, and no third one for an hour."""
    identity.needs_scope, identity.refused = True, {'"no-role-1"', '"no-role-2"'}
    assert [isinstance(each, Scope) for each in scopes_of(projects(make, "no-role-1", "a", "b"), 1)] == [
        False,
        True,
        True,
    ]
    more = scopes_of(projects(make, "no-role-2", "c"), 1)

    assert [isinstance(each, Scope) for each in more] == [False, True]
    identity.refused = {"canary-p4ss"}
    before = len(identity.logins)
    assert all(isinstance(each, UnauthorizedError) for each in scopes_of(projects(make, *"defghij"), 1))
    refusals = [json.loads(asked.body)["auth"] for asked in identity.logins[before:]]
    assert len([auth for auth in refusals if "scope" in auth]) <= 2


@pytest.mark.parametrize("at_once", [1, 8])
def test_projects_without_a_role(identity: Identity, make: Make, at_once: int) -> None:
    """Projects in which the user has no role keep no other project from being read, now or later."""
    identity.refused = {'"no-role-1"', '"no-role-2"', '"no-role-3"'}
    sources = projects(make, "no-role-1", "no-role-2", "a", "no-role-3", "b", "c")
    for _ in range(2):
        results = scopes_of(sources, at_once)
        assert [isinstance(each, Scope) for each in results] == [False, False, True, False, True, True]

    assert len(identity.logins) <= 6 + 5
