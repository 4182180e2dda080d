"""One database with an IEC, an IMS and a Glance source, by the command line as a user works with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import effects
import jsonschema
import pytest
from builders import canonical
from cli_tools import InProcess, ask, column, dump, without
from fault_rules import FaultySimulator
from http_server import HttpServer, always, reply
from receiver import Receiver
from report_tools import SCHEMA
from servers import Server

from sync.domain.apis import APIS
from sync.domain.image import to_json
from sync.simulator import ADMIN_ROLES, PROJECT, Viewer, World
from sync.simulator.catalog import Document

_OF_RUNS = ("runs", "runs_run_seq")
REGION = "cn-north-4"
LIVE = "SELECT count(*) FROM inventory.live_images"
PARENTS = """
SELECT e.id, i.id, i.name FROM inventory.iec_images e
JOIN inventory.ims_images i ON e.data_source LIKE 'ims:' || i.id || ':%'
"""


@dataclass
class Fleet:
    """Three simulated clouds, and the job that reads them into one database.

    Attributes:
        clouds: by the name of their API, which is also the name of the source.
        job: the command line.
        receiver: gets the notices.
        parent: id of an image of IMS.
        copy: id of the image of IEC that was made from it.
    """

    clouds: Mapping[str, FaultySimulator]
    job: InProcess
    receiver: Receiver
    parent: str
    copy: str

    def configure(self, **settings: Mapping[str, str]) -> None:
        """Write the settings file; the arguments add to, or change, those of a source."""
        lines = ["[defaults]", 'grace = "0"']
        for name, cloud in self.clouds.items():
            project = {"iam_endpoint": f"{cloud.url}/identity"} if APIS[name].project_scoped else {}
            values = {"name": name, "api": name, "endpoint": cloud.url, "token": cloud.token} | project
            lines += ["[[sources]]", *(_line(*item) for item in (values | dict(settings.get(name, {}))).items())]
        self.job.folder.joinpath("image-sync.toml").write_text("\n".join(lines) + "\n")

    def report(self, *arguments: str) -> dict[str, Any]:
        """A report, checked against its schema."""
        done = self.job("report", *arguments, "--format", "json")
        assert done.code == 0, done.err
        document: dict[str, Any] = json.loads(done.out)
        jsonschema.validate(document, SCHEMA)
        return document

    def refused(self, *arguments: str) -> str:
        """Run a command that fails and changes no table but ``runs``; return what it says."""
        before = dump(self.job.url)
        done = self.job(*arguments)
        assert done.code != 0
        assert without(dump(self.job.url), *_OF_RUNS) == without(before, *_OF_RUNS)
        return done.err + done.out


def _line(name: str, value: str) -> str:
    return f"{name} = {json.dumps(value)}" if value else ""


@pytest.fixture
def fleet(tmp_path: Path, server: Server) -> Iterator[Fleet]:
    """Three clouds, read once."""
    with ExitStack() as stack:
        clouds = {
            api: stack.enter_context(FaultySimulator(World(seed=n, size=40, api=api))) for n, api in enumerate(APIS)
        }
        receiver = stack.enter_context(Receiver())
        ims = clouds["ims"].world.truth()
        parent = next(name for name, image in ims.items() if image["__imagetype"] == "private")
        copy = _copy_of(parent, clouds["iec"].world)
        job = InProcess(tmp_path, server.migrated(), IMAGE_SYNC_NOTICE_URL=receiver.address)
        fleet = Fleet(clouds, job, receiver, parent, copy)
        fleet.configure()
        done = job("run", "--format", "json")
        assert [(row["source"], row["status"], row["proven"]) for row in done.rows] == [
            (api, "done", True) for api in APIS
        ]
        yield fleet


def _copy_of(parent: str, iec: World) -> str:
    """Make an image of IEC from one of IMS."""
    image: Document = next(iter(iec.truth().values()))
    return iec.put(image | {"id": "5c0a2c1e-0000-4000-8000-00000000c0de", "data_source": f"ims:{parent}:{REGION}"})


def test_one_query_finds_the_parent_of_an_image(fleet: Fleet) -> None:
    """An image of IEC and the image of IMS that it was made from meet in one query, as it stands in the manual."""
    name = fleet.clouds["ims"].world.truth()[fleet.parent]["name"]

    rows = column(fleet.job.url, f"SELECT (e, i, n)::text FROM ({PARENTS}) AS p (e, i, n)")

    assert len(rows) == 1
    assert {fleet.copy, fleet.parent} <= set(rows[0].strip("()").replace('"', "").split(","))
    assert str(name) in rows[0]


@pytest.mark.parametrize("api", APIS)
def test_each_api_has_a_view_with_its_own_names(fleet: Fleet, api: str) -> None:
    """A view has each documented field as a column, for the live images of its API alone."""
    columns = set(
        column(
            fleet.job.url,
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
            f"AND attrelid = 'inventory.{api}_images'::regclass",
        )
    )
    ids = column(fleet.job.url, f"SELECT id FROM inventory.{api}_images")

    assert {field.api for field in APIS[api].fields} <= columns
    assert sorted(ids) == sorted(fleet.clouds[api].world.truth())


def test_every_image_is_given_back_as_it_came(fleet: Fleet) -> None:
    """``as-of`` returns each image of each API under the API's names, with all that came."""
    rows = fleet.job("as-of", "now", "--format", "json").rows

    for name, api in APIS.items():
        kept = {row["id"]: to_json(row, row["extra"], api) for row in rows if row["source"] == name}
        truth = fleet.clouds[name].world.truth()
        assert {each: canonical(image, api) for each, image in kept.items()} == {
            each: canonical(image, api) for each, image in truth.items()
        }


def test_the_usual_commands_know_all_three(fleet: Fleet) -> None:
    """``status``, ``report``, ``check`` and ``verify`` cover the images of all sources."""
    live = ask(fleet.job.url, LIVE)
    status = fleet.job("status", "--format", "json").rows
    report = fleet.report()
    html = fleet.job("report", "--format", "html")
    checks = fleet.job("check", "--format", "json")
    verify = fleet.job("verify")

    assert {row["source"]: row["live"] for row in status} == {
        api: len(cloud.world.truth()) for api, cloud in fleet.clouds.items()
    }
    assert sum(report["images"]["to"].values()) == live
    assert (html.code, verify.code, checks.code) == (0, 0, 0)
    assert all(f">{api}<" in html.out for api in APIS)
    assert {row["source"] for row in checks.rows} <= set(APIS)


def test_a_changed_property_reads_as_that_property(fleet: Fleet) -> None:
    """A property of Glance that users changed is old and new under its name, wherever changes are shown."""
    glance = fleet.clouds["glance"].world
    image = next(name for name, each in glance.truth().items() if each.get("owner") == PROJECT)
    for value in ("ubuntu", "debian"):
        glance.set_property(ids=[image], name="os_distro", value=value)
        fleet.job("run", "--source", "glance")

    diff = fleet.job("diff", "last", "--source", "glance", "--format", "json").rows
    history = fleet.job("history", image, "--format", "json").rows
    report = fleet.report("--from", "last", "--source", "glance")
    page = fleet.job("report", "--from", "last", "--source", "glance", "--format", "html").out

    expected = {"field": "extra.os_distro", "old": "ubuntu", "new": "debian"}
    assert expected in [{name: row[name] for name in expected} for row in diff]
    assert {row["field"] for row in diff} <= {"extra.os_distro", "updated_at"}
    assert "extra.os_distro: ubuntu -> debian" in history[-1]["changes"]
    assert expected in report["changes"][0]["fields"]
    assert "extra.os_distro" in page


def test_a_widened_visibility_is_in_a_notice(fleet: Fleet) -> None:
    """Whatever the API: if more people see an image than before, a notice says so."""
    for cloud in fleet.clouds.values():
        image = next(name for name, each in cloud.world.truth().items() if each.get("visibility") == "private")
        cloud.world.set_property(ids=[image], name="visibility", value="public")
    fleet.job("run")

    notices = [notice for notice in fleet.receiver.notices if notice["kind"] == "exposure"]

    assert sorted(notice["source"] for notice in notices) == sorted(APIS)


@pytest.mark.parametrize("api", APIS)
def test_the_history_of_an_image_of_each_api(fleet: Fleet, api: str) -> None:
    """An image that was renamed and deleted has two versions, and its end."""
    world = fleet.clouds[api].world
    image = next(name for name, each in world.truth().items() if each.get("visibility") == "private")
    world.set_property(ids=[image], name="name", value="renamed")
    fleet.job("run")
    world.delete(ids=[image])
    fleet.job("run")

    rows = fleet.job("history", image, "--format", "json").rows
    diff = fleet.job("diff", "last", "--source", api, "--format", "json").rows

    assert [row["change"] for row in rows] == ["created", "updated"]
    assert "-> renamed" in rows[-1]["changes"]
    assert rows[-1]["valid_to"] is not None
    assert [(row["id"], row["change"]) for row in diff] == [(image, "deleted")]


@pytest.mark.parametrize("api", ["ims", "glance"])
def test_an_image_that_is_shared_no_longer_is_invisible(fleet: Fleet, api: str) -> None:
    """An image of another project that is not found any more is invisible, never deleted, and returns as restored."""
    world = fleet.clouds[api].world
    image = world.unshare()[0]
    invisible = fleet.job("run", "--source", api, "--format", "json").row
    gone = fleet.job("diff", "last", "--source", api, "--format", "json").rows
    report = fleet.report("--from", "last", "--source", api)
    world.share(ids=[image])
    restored = fleet.job("run", "--source", api, "--format", "json").row

    assert (invisible["invisible"], invisible["deleted"], restored["restored"]) == (1, 0, 1)
    assert [(row["id"], row["change"]) for row in gone] == [(image, "invisible")]
    assert [(row["id"], row["kind"]) for row in report["changes"]] == [(image, "invisible")]
    assert ask(fleet.job.url, "SELECT deleted_at FROM inventory.images WHERE id = %s", image) is None
    assert fleet.job("verify").code == 0


def test_a_source_whose_api_changed_is_refused(fleet: Fleet) -> None:
    """A source that is read by another API than its images were is refused, with what to do."""
    fleet.configure(
        ims={"api": "glance", "endpoint": fleet.clouds["glance"].url, "token": fleet.clouds["glance"].token}
    )

    said = fleet.refused("run", "--source", "ims")

    assert "the api of source ims changed from ims to glance" in said
    assert "give it a new name" in said


def test_a_filter_that_the_api_does_not_have(fleet: Fleet) -> None:
    """A filter of another API is a mistake in the settings, which names those that there are."""
    fleet.configure(glance={"filter": "__imagetype=private"})

    done = fleet.job("run")

    assert done.code == 2
    assert "glance has no filter '__imagetype'" in done.err
    assert "visibility" in done.err


def test_an_enterprise_project_that_is_required(fleet: Fleet) -> None:
    """If IMS wants an enterprise project, the error says which setting to change."""
    fleet.clouds["ims"].behaviour.enterprise_project = True
    said = fleet.refused("run", "--source", "ims")
    fleet.configure(ims={"filter": "enterprise_project_id=all_granted_eps"})
    fleet.job("sources", "accept-filter", "ims")

    assert "enterprise_project_id=all_granted_eps" in said
    assert fleet.job("run", "--source", "ims").code == 0


def test_a_catalog_without_a_service_of_images(fleet: Fleet) -> None:
    """Without endpoint, and without the service in the catalog, the error names what is missing."""
    glance = fleet.clouds["glance"]
    fleet.configure(glance={"endpoint": "", "iam_endpoint": f"{glance.url}/identity"})
    fleet.job("sources", "accept-scope", "glance")  # until now, the roles were not known
    by_catalog = fleet.job("run", "--source", "glance")
    glance.identity.image_service = False

    said = fleet.refused("run", "--source", "glance")

    assert by_catalog.code == 0, by_catalog.err
    assert "image" in said
    assert "catalog" in said


def test_an_administrator_is_warned_and_is_another_scope(fleet: Fleet) -> None:
    """The token of an administrator sees all projects' images: the job says so, and refuses it until it is accepted."""
    glance = fleet.clouds["glance"]
    fleet.configure(glance={"iam_endpoint": f"{glance.url}/identity"})
    glance.identity.viewer = Viewer(roles=ADMIN_ROLES)
    said = fleet.refused("run", "--source", "glance")
    accepted = fleet.job("sources", "accept-scope", "glance")
    done = fleet.job("run", "--source", "glance")

    assert "it sees all projects' images" in said
    assert "image-sync sources accept-scope glance" in said
    assert (accepted.code, done.code) == (0, 0)
    assert ask(fleet.job.url, "SELECT scope FROM inventory.sources WHERE name = 'glance'") == (
        f"project={PROJECT}&roles=admin,member,reader"
    )


def test_a_link_to_another_host_is_never_followed(fleet: Fleet) -> None:
    """``next`` may name any host: the job makes the address of each page itself, so the token stays where it belongs."""
    glance = fleet.clouds["glance"]
    glance.listing.page_cap = 10
    with HttpServer(always(reply({"images": []}))) as other:
        glance.faults.add(effects.next_page(f"{other.url}/v2/images?marker=x"), times=None)
        done = fleet.job("run", "--source", "glance", "--format", "json")

        assert (done.row["proven"], done.row["unchanged"]) == (True, len(glance.world.truth()))
        assert other.connections == 0
    assert {urlsplit(str(event.detail["path"])).netloc for event in glance.journal.answers()} == {""}
