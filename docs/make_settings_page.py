"""Write docs/settings.md from the settings classes; with --check, only say whether it is stale (exit 1)."""

import sys
from collections.abc import Iterable
from pathlib import Path

from sync.domain.apis import APIS, Api
from sync.settings.apis import PROPERTY
from sync.settings.logins import ApplicationCredential, Keys, Password, Token
from sync.settings.model import CONFIG, FILE_NAME, GENERAL, OF_SOURCE
from sync.settings.options import Option, options
from sync.settings.quantities import show_duration

PAGE = Path(__file__).with_name("settings.md")
_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))

HEAD = f"""\
# Settings

<!-- Written by docs/make_settings_page.py from sync/settings/model.py; change them, not this page. -->

Settings come from the environment, from one TOML file, or from both. They are read once, when the program starts.
One message names everything that is wrong, and the exit code is then 2.

## Where a value comes from
1. An environment variable wins over the settings file.
2. In the file, a `[[sources]]` table wins over `[defaults]`, which applies to all sources.
3. A setting that is set nowhere has the default below.

The settings file is the one that `--config` names, else the one that `{CONFIG}` names, else `{FILE_NAME}` in the
current directory, if there is one.

**Sources.** One source can be set by the environment alone; its name is `default`, or that in `IMAGE_SYNC_SOURCE`.
Where the file has sources, the environment changes one of them: the one that `IMAGE_SYNC_SOURCE` names, or the only
one. With several sources and no `IMAGE_SYNC_SOURCE`, variables of a source are an error.

**Files.** Every setting can be read from its own file, such as a mounted secret: add `_FILE` to the variable or `_file`
to the key and give the path. A line break at the end is dropped. A relative path starts at the folder of the settings
file, or at the current directory when it comes from the environment. Setting both a value and its file is an error.

**Formats.** Durations are seconds, or text such as `"90s"`, `"15m"`, `"24h"`; sizes are bytes, or text such as
`"64MiB"`. An empty variable is an error, except for a filter or a list, where it means none. An unknown `IMAGE_SYNC_`
variable or key is an error too (the variables that Kubernetes adds for a service named `image-sync` are not).
"""

API = f"""\
A filter that the API does not have is an error, which names those that it has. Users of `glance` may add properties of
their own to an image, and Glance answers a mistyped filter with an empty list, as if it were such a property. So a
property is marked: `{PROPERTY}NAME` in `filter` and `ignore_fields`, such as
`filter = "{PROPERTY}os_distro=ubuntu"`; it is sent without the mark. In `ignore_fields`
only fields that are not columns of the view `glance_images` are marked; `os_distro` is one.

Without `endpoint`, the address of `ims` or `glance` is the one in the service catalog of the identity service, with
`interface`, and with `region` if the catalog has several. It may have a path prefix such as
`https://cloud.example.org/image`; a version such as `/v2` at its end is left out, there and in `iam_endpoint`.

`ims` and `glance` list the images of one project. Its id and the roles in it are stored with the source, and a run with
other ones is refused, since its list would be of other images. A user with the role `admin` sees the images of all
projects, which is logged as a warning.
"""

CREDENTIALS = """\
## Credentials of a source
Each source has exactly one kind. The first of these places that has any credentials decides on the kind: the
environment, `[[sources]]`, `[defaults]`; single values of that kind may still come from a later place. Settings that
several kinds share, such as `project_id`, don't decide alone.
"""

VENDOR = """\
The vendor's own `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK`, `HUAWEICLOUD_SDK_SECURITY_TOKEN`,
`HUAWEICLOUD_SDK_DOMAIN_ID` and `HUAWEICLOUD_SDK_PROJECT_ID` apply to every source without other credentials. They have
no form with `_FILE`.
"""

EXAMPLE = f"""\
## Example
`{FILE_NAME}`, with two sources of one account and the secrets in files beside it:

```toml
database_url_file = "secrets/database-url"
log_format = "json"

[defaults]
endpoint = "https://iecs.myhuaweicloud.com"
iam_endpoint = "https://iam.myhuaweicloud.com"
username = "inventory-reader"
password_file = "secrets/cloud-password"
domain = "my-account"
deadline = "10m"

[[sources]]
name = "private-linux"
filter = {{ visibility = "private", __os_type = "Linux" }}

[[sources]]
name = "public"
filter = "visibility=public"
ignore_fields = ["updated_at"]
max_deletions_percent = 50
```

One source by the environment alone:

```sh
IMAGE_SYNC_ENDPOINT=https://iecs.myhuaweicloud.com
IMAGE_SYNC_TOKEN_FILE=/run/secrets/token
IMAGE_SYNC_FILTER='visibility=private&__os_type=Linux'
IMAGE_SYNC_DATABASE_URL_FILE=/run/secrets/database-url
```

## Plain http
Addresses are `https://`. Plain `http://` is accepted to this machine only (`127.0.0.0/8`, `::1`, `localhost`), or where
`allow_http` is true; the program then warns on every start.
"""


def page() -> str:
    """The whole page."""
    parts = [
        HEAD,
        "## The whole program\n" + _table(GENERAL),
        "## Each source\n" + _table(OF_SOURCE),
        "## The APIs\n" + _apis() + "\n" + API,
        CREDENTIALS,
        "### Token\n" + _table(options(Token)),
        "### User of the identity service (IAM, Keystone)\n" + _table(options(Password)),
        "### Application credential (Keystone)\n" + _table(options(ApplicationCredential)),
        "### Access key\n" + _table(options(Keys)),
        VENDOR,
        EXAMPLE,
    ]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or check it; 1 if it is stale."""
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.name} is stale; run: python docs/{Path(__file__).name}", file=sys.stderr)
    return 1


def _table(wanted: Iterable[Option]) -> str:
    rows = [f"| `{option.env}` | `{option.key}` | {_default(option)} | {_meaning(option)} |" for option in wanted]
    return "\n".join(["| environment | TOML | default | meaning |", "|---|---|---|---|", *rows, ""])


def _apis() -> str:
    rows = [
        f"| `{name}` | {api.title} | {_credentials(api)} | {', '.join(f'`{each}`' for each in sorted(api.filters))} |"
        for name, api in APIS.items()
    ]
    return "\n".join(["| `api` | | credentials | filters |", "|---|---|---|---|", *rows, ""])


def _credentials(api: Api) -> str:
    project = "for a project" if api.project_scoped else "for a domain"
    kinds = ["access key"] if api.signed else []
    kinds += ["application credential"] if api.project_scoped else []
    return ", ".join(["token", f"user ({project})", *kinds])


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.default is None or option.default == ():
        return "none"
    if isinstance(option.default, tuple):
        return f"`{','.join(option.default)}`"
    if isinstance(option.default, bool):
        return f"`{str(option.default).lower()}`"
    if isinstance(option.default, int | float):
        return f"`{_measured(option.default, option.rule.unit)}`"
    return f"`{option.default}`"


def _measured(number: float, unit: str) -> str:
    if unit == "bytes":
        return next(f"{number // size}{name}" for size, name in _UNITS if number % size == 0)
    return show_duration(number) if unit == "s" else f"{number:.15g}{unit if unit == '%' else ''}"


def _meaning(option: Option) -> str:
    rule = option.rule
    secret = " **Secret.**" if rule.secret else ""
    example = f" Example: `{option.example}`." if option.example else ""
    return f"{option.meaning}.{secret} Takes {rule.expects}{_unit(rule.unit)}.{example}".replace("|", "\\|")


def _unit(unit: str) -> str:
    return f" ({unit})" if unit not in {"", "s", "bytes"} else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
