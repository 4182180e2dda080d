"""Every error this program raises on purpose.

ImageSyncError                        exit 1
├── UsageError                        exit 2: the caller can fix it
│   ├── SettingsError                 one message naming every mistake
│   ├── EnvironmentVariableError      a proxy or certificates that the environment names cannot be used
│   └── UnknownError                  an id, source, run or moment that does not exist
├── CloudError                        the image list could not be read
│   ├── TransientError                worth retrying
│   │   ├── ThrottledError            too many requests; may say how long to wait
│   │   ├── ServerFaultError          5xx, and the one 400 that means "internal, retry later"
│   │   ├── ConnectionFailedError     DNS, TLS, connect, reset, timeout
│   │   └── BrokenAnswerError         cut short, HTML, or no JSON at all
│   ├── UnauthorizedError             401: the credentials are refused
│   ├── ForbiddenError                403: the credentials may not list images
│   ├── RejectedError                 any other 3xx or 4xx: a retry will not help
│   ├── ContractError                 JSON, but not an answer of this API; or not HTTP at all
│   └── TooLargeError                 over the limit of bytes or images
├── TransportError                    no whole HTTP answer came; the caller turns it into one of the errors here
├── StoreError                        the database refused
│   ├── DatabaseUnavailableError      not reachable, starting up, or too many connections
│   ├── DatabaseBusyError             a lock or statement timeout, a deadlock
│   ├── DatabaseRefusedError          a privilege is missing, or it is read-only
│   ├── SchemaVersionError            the schema is older or newer than the program (exit 2)
│   └── OutcomeUnknownError           COMMIT was sent, and its outcome is unknown
├── SpoolError                        no room for the changes between reading and writing
├── EmbeddedError                     the job's own PostgreSQL does not start
├── NoticeError                       a notice did not reach its receiver; see sync.notices.errors
├── OutputError                       the command's output can't be written
│   └── OutputClosedError             nobody reads it any more
├── FilterChangedError                the filter of a source changed and was not accepted (exit 2)
├── ScopeChangedError                 so did the project or the roles of its credentials (exit 2)
├── ApiChangedError                   a source has another API than its inventory (exit 2)
├── DeadlineError                     the run exceeded its deadline
├── InterruptedRunError               SIGTERM or SIGINT ended the run
├── NoThreadError                     the system allows no more threads
├── UnexpectedError                   a fault of the program or a library, which nothing above foresees
└── SupersededError                   exit 3: another run was ahead
"""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar


class ImageSyncError(Exception):
    """Something went wrong; the message says what to do about it.

    Attributes:
        exit_code: exit code of the command that it ends.
        run: number of the run that it ended, or None if that run was not on record.
    """

    exit_code: ClassVar[int] = 1
    run: int | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)

    def facts(self) -> dict[str, object]:
        """Details for programs, beside the message: the class, and the facts of the error that caused it."""
        cause = self.__cause__
        return (cause.facts() if isinstance(cause, ImageSyncError) else {}) | {"error": type(self).__name__}


class UsageError(ImageSyncError):
    """The command cannot be understood."""

    exit_code = 2


class SettingsError(UsageError):
    """Some settings are wrong."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  - {mistake}" for mistake in mistakes)
        count = "1 setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
        super().__init__(f"{count} invalid:\n{lines}")


class EnvironmentVariableError(UsageError):
    """A variable of the environment that is not ours cannot be used; the message holds no password."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} (environment): {reason}")


class UnknownError(UsageError):
    """There is nothing by that name."""


class CloudError(ImageSyncError):
    """The image list could not be read.

    Attributes:
        status: HTTP status, or None if no answer came.
        code: the vendor's error code, such as ``APIGW.0301``.
        request_id: the gateway's id of the request, for the vendor's support.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status, self.code, self.request_id = status, code, request_id
        super().__init__(message)

    def __str__(self) -> str:
        status = f"HTTP {self.status}" if self.status else ""
        request = f"request {self.request_id}" if self.request_id else ""
        code = self.code if self.code != str(self.status) else None  # an identity service repeats the status
        details = ", ".join(filter(None, (status, code, request)))
        return f"{super().__str__()} ({details})" if details else super().__str__()

    def facts(self) -> dict[str, object]:
        """The class, and the status, error code and request id that the cloud gave."""
        details = {"http_status": self.status, "vendor_code": self.code, "request_id": self.request_id}
        return super().facts() | {name: value for name, value in details.items() if value is not None}


class TransientError(CloudError):
    """The cloud failed in a way that often goes away by itself."""


class ThrottledError(TransientError):
    """The cloud asks for fewer requests.

    Attributes:
        wait: seconds the cloud says to wait, or None if it did not say.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        wait: float | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.wait = wait
        super().__init__(message, status=status, code=code, request_id=request_id)


class ServerFaultError(TransientError):
    """The cloud has an internal fault."""


class ConnectionFailedError(TransientError):
    """The cloud cannot be reached."""


class BrokenAnswerError(TransientError):
    """The answer is not complete JSON."""


class UnauthorizedError(CloudError):
    """The cloud refuses the credentials."""


class ForbiddenError(CloudError):
    """The credentials may not list images."""


class RejectedError(CloudError):
    """The cloud rejects the request."""


class ContractError(CloudError):
    """The answer is not one of this API."""


class TooLargeError(CloudError):
    """The answer is larger than allowed."""


class Fault(Enum):
    """Why no whole HTTP answer came."""

    ENVIRONMENT = auto()  # its proxy or certificates cannot be used
    UNSENDABLE = auto()  # the request cannot be made
    UNREACHABLE = auto()  # DNS, TLS, connect, reset
    PROXY = auto()  # the proxy refuses, or can't be reached
    SILENT = auto()  # the time-out of one step passed
    OVER = auto()  # the time for the whole exchange passed
    CUT_SHORT = auto()  # the connection ended too early
    INVALID = auto()  # the answer is no HTTP
    COMPRESSED = auto()  # though that was not asked for
    TOO_LARGE = auto()  # the body is over its cap


class TransportError(ImageSyncError):
    """No whole HTTP answer came; the message names no address but the proxy's, and no header or body.

    Attributes:
        fault: the kind of fault.
        name: of the HTTP library's error, or "".
        words: the system's or OpenSSL's own, which may name the host; or "".
        status: the HTTP status with which a proxy refuses, or None.
    """

    def __init__(
        self, message: str, *, fault: Fault, name: str = "", words: str = "", status: int | None = None
    ) -> None:
        self.fault, self.name, self.words, self.status = fault, name, words, status
        super().__init__(message)


class StoreError(ImageSyncError):
    """The database refused: ``what`` says it without advice, and ``context`` names the functions in which it did."""

    what = context = ""


class DatabaseUnavailableError(StoreError):
    """The database cannot be reached."""


class DatabaseBusyError(StoreError):
    """The database is busy: a lock or a statement took too long."""


class DatabaseRefusedError(StoreError):
    """The database does not allow this."""


class SchemaVersionError(StoreError):
    """The schema of the database does not fit this program."""

    exit_code = 2


class OutcomeUnknownError(StoreError):
    """COMMIT was sent, no answer came, and the database cannot be asked whether it took effect."""


class SpoolError(ImageSyncError):
    """There is no room for the changes between reading and writing."""


class EmbeddedError(ImageSyncError):
    """The job's own PostgreSQL does not work here."""


class OutputError(ImageSyncError):
    """The output can't be written."""


class OutputClosedError(OutputError):
    """The output is a pipe that nobody reads any more."""


class FilterChangedError(ImageSyncError):
    """The filter of a source is not the one its inventory was made with."""

    exit_code = 2


class ScopeChangedError(ImageSyncError):
    """The credentials of a source do not reach what its inventory was made with."""

    exit_code = 2


class ApiChangedError(ImageSyncError):
    """The API of a source is not the one its inventory was made with."""

    exit_code = 2


class DeadlineError(ImageSyncError):
    """The run exceeded its deadline."""


class InterruptedRunError(ImageSyncError):
    """The run was stopped from outside; nothing was written, and the next run starts over."""


class SupersededError(ImageSyncError):
    """Another run of this source was ahead; this one wrote nothing."""

    exit_code = 3


class NoThreadError(ImageSyncError):
    """The system allows no more threads; raise its limit (ulimit -u, pids), or lower jobs and concurrency."""


class UnexpectedError(ImageSyncError):
    """Something failed in a way that the program does not foresee."""
