"""Addresses: which URLs are valid for the cloud, the database and a webhook, and which parts of them are secret."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from sync.settings.rules import Rule, WrongValueError
from sync.settings.secret import Secret

_DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_IN_URLS = re.compile(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})+")  # a % begins an escape, or it is a mistake
_URL = re.compile(  # urlsplit takes no list of hosts
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?:(?P<login>[^@/?#]*)@)?(?P<hosts>[^@/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>\d{0,5}))?")
_VERSION = re.compile(r"/v\d+(\.\d+)?$")  # at the end of a path; our requests name it themselves
_PORTS = range(1, 2**16)
_TOKEN = 12  # characters; a part of an address that is this long counts as a token, and is masked everywhere
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PASSWORDS = ("password", "passwd", "sslpassword")  # as libpq may find them in the query of a URL


def endpoint() -> Rule[str]:
    """The address of a service, without its API's version; never quoted, because people paste passwords into it."""
    expects = "https://HOST or https://HOST:PORT, with the service's path if it has one, without a user or query"
    return Rule(expects=expects, parse=_endpoint, quoted=False)


def database_url() -> Rule[Secret]:
    """How libpq reaches a PostgreSQL database: a URL, also with several hosts, or a string of keys and values."""
    escapes = "with @ : / ? # % in a user or password written as %40 %3A %2F %3F %23 %25"
    expects = (
        f"postgresql://USER:PASSWORD@HOST:PORT/DATABASE {escapes}; also with several HOST:PORT, with commas between "
        "them, or as libpq's host=HOST port=PORT dbname=DATABASE user=USER password=PASSWORD"
    )
    return Rule(expects=expects, parse=_database_url, secret=True)


def webhook_url() -> Rule[Secret]:
    """The address of a webhook; whoever knows it may post there, so all of it is secret."""
    expects = "the https:// address of a webhook, with its path and query, in visible ASCII characters"
    return Rule(expects=expects, parse=_webhook_url, secret=True)


def listen() -> Rule[str]:
    """The address that our server listens on, as HOST:PORT."""
    return Rule(expects="HOST:PORT, with an IPv6 address in [ ], or :PORT for all addresses", parse=_listen)


def host_port(address: str) -> tuple[str, int]:
    """The host and the port of an address that ``listen`` takes."""
    parts = urlsplit(f"//{address}")
    return parts.hostname or "", parts.port or 0


def gateway() -> Rule[Secret]:
    """The address of a pushgateway; secret, because it may hold a password."""
    expects = "http://HOST:PORT or https://USER:PASSWORD@HOST, with the gateway's own path prefix if it has one"
    return Rule(expects=expects, parse=_gateway, secret=True)


def is_plain_elsewhere(address: str) -> bool:
    """Whether ``address`` is plain http to another machine."""
    parts = urlsplit(address)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def passwords_in(url: str) -> tuple[str, ...]:
    """The passwords in a URL or connection string, each as written and decoded; () if it has none."""
    names = "|".join(_PASSWORDS)
    match = _URL.fullmatch(url.strip())
    if match is None:
        written = re.findall(rf"(?:^|(?<=\s))(?:{names})\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)", url, re.DOTALL)
        values = [word.strip("'") if word.startswith("'") else word for word in written]
        decoded = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in values]
        return tuple(dict.fromkeys(filter(None, [*values, *decoded])))
    login, query = (match["login"] or "").partition(":")[2], match["query"] or ""
    in_query = re.findall(rf"(?:^|&)(?:{names})=([^&]*)", query)
    decoded = [word for name in _PASSWORDS for word in parse_qs(query).get(name, ())]
    return tuple(dict.fromkeys(filter(None, [login, unquote(login), *in_query, *decoded])))


def tokens_in(url: str) -> tuple[str, ...]:
    """The parts of a webhook's address that are as secret as the whole: path with query, long words, a login."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    words = [word for word in re.split(r"[/?&=]", path) if len(word) >= _TOKEN]
    user = parts.netloc.rpartition("@")[0]
    return tuple(filter(None, [path if len(path) >= _TOKEN else "", *words, user, user.partition(":")[2]]))


def service_address(url: str) -> str | None:
    """The address of a service as ``endpoint`` has it; None if it can't be one."""
    try:
        return _endpoint(url)
    except WrongValueError:
        return None


def _endpoint(value: object) -> str | None:
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS:
        return None
    if "@" in parts.netloc:
        raise WrongValueError("holds a user or password; give credentials in their own settings")
    path = _VERSION.sub("", parts.path.rstrip("/"))
    if parts.query or parts.fragment or re.search(r"/v\d+(\.\d+)?/", path):
        raise WrongValueError("holds a query, or the path of a request; leave out what follows the service's address")
    if not re.fullmatch(r"(/(?!\.\.?(/|$))[^/]+)*", path):
        return None
    host = parts.hostname or ""
    if ":" not in host and not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", host):
        return None
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}{path}"


def _database_url(value: object) -> Secret | None:
    text = value.strip() if isinstance(value, str) else ""
    if "://" not in text.partition("=")[0]:
        return Secret(text) if "=" in text and _is_understood(text) else None
    match = _URL.fullmatch(text) if _IN_URLS.fullmatch(text) else None
    if match is None or match["scheme"].lower() not in _DATABASE_SCHEMES:
        return None
    hosts = [_HOST.fullmatch(host) for host in match["hosts"].split(",")]
    if not all(host and (not host["port"] or int(host["port"]) in _PORTS) for host in hosts):
        return None
    return Secret("postgresql://" + text.partition("://")[2])


def _is_understood(text: str) -> bool:
    """Whether libpq understands a connection string; its own error would quote the password."""
    from psycopg import ProgrammingError  # takes long, and most settings name no database so
    from psycopg.conninfo import conninfo_to_dict

    try:
        return bool(conninfo_to_dict(text))
    except (ProgrammingError, ValueError):
        return False


def _webhook_url(value: object) -> Secret | None:
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.fragment:
        return None
    return Secret(str(value).strip())


def _listen(value: object) -> str | None:
    parts = _split(f"tcp://{value.strip()}") if isinstance(value, str) else None
    if parts is None or parts.netloc != str(value).strip() or "@" in parts.netloc or parts.port is None:
        return None
    return parts.netloc


def _gateway(value: object) -> Secret | None:
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment:
        return None
    address = str(value).strip().rstrip("/")
    if "@" in parts.netloc and is_plain_elsewhere(address):
        raise WrongValueError("would show its password to the network; use https://")
    return Secret(address)


def _split(value: object) -> SplitResult | None:
    """The parts of a URL; None if it is not one. Never raises: a foreign error would quote the password."""
    if not isinstance(value, str) or not _IN_URLS.fullmatch(value.strip()):
        return None
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 or "://" not in value else parts


def _is_loopback(host: str) -> bool:
    if host in {"localhost", "::1"}:
        return True
    try:
        return ":" not in host and ip_address(host).is_loopback
    except ValueError:
        return False
