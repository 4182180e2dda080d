"""The one table of the API's 30 response fields and 20 query parameters.

Parsing, tables, column comments, documentation and the simulated cloud are derived from it: a new vendor field takes
one new line here and one migration. Source: the vendor's document of ``ListImages`` (tables "request parameters" and
"response parameters", status 200).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The type of a value, in the API's JSON and here."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    FLAG = "flag"  # a boolean here; the API writes the text "true" or "false", or leaves the field out
    TIME = "time"  # an instant here; the API writes text as in RFC 3339


@dataclass(frozen=True, slots=True)
class Field:
    """One response field.

    Attributes:
        api: its name in the API's JSON.
        column: its name in the database.
        kind: its type.
        meaning: its meaning in one line; becomes the column comment.
        unit: unit of a number, or "".
        choices: the values that the document names; others do occur.
        blank: whether the API writes ``""`` for a field without a value, instead of leaving it out.
    """

    api: str
    column: str
    kind: Kind
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    blank: bool = False

    @property
    def comment(self) -> str:
        """The column comment: meaning, unit and API name."""
        unit = f", in {self.unit}" if self.unit else ""
        return f"{self.meaning}{unit} (API: {self.api})"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter of ``GET /v1/images``; it is a filter if a response field has the same name.

    Attributes:
        name: its name in the query.
        kind: its type; all are sent as text.
        meaning: its effect, in one line.
        choices: the values it accepts, or () for any.
    """

    name: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()


STATUSES = ("queued", "saving", "deleted", "killed", "active")
TRUTHS = ("true", "false")
GPU_TYPES = ("V100_vGPU", "RTX5000")
OS_TYPES = ("Linux", "Windows", "Other")
IMAGE_TYPES = ("gold", "private")
VISIBILITIES = ("public", "private")

FIELDS: tuple[Field, ...] = (
    Field("id", "id", Kind.TEXT, "Id of the image, given by the cloud"),
    Field("name", "name", Kind.TEXT, "Name of the image"),
    Field("status", "status", Kind.TEXT, "State of the image in the cloud", choices=STATUSES),
    Field("disk_format", "disk_format", Kind.TEXT, "Format of the image file, such as zvhd2"),
    Field("min_disk", "min_disk", Kind.INTEGER, "Smallest system disk the image runs on", unit="GB"),
    Field("min_ram", "min_ram", Kind.INTEGER, "Smallest memory the image runs with; 0 is no limit", unit="MB"),
    Field("owner", "owner", Kind.TEXT, "Id of the project that owns the image"),
    Field("protected", "protected", Kind.BOOLEAN, "Whether the cloud refuses to delete the image"),
    Field("visibility", "visibility", Kind.TEXT, "Who sees the image", choices=VISIBILITIES),
    Field("created_at", "created_at", Kind.TIME, "When the image was created, by the cloud's clock"),
    Field("updated_at", "updated_at", Kind.TIME, "When the image was last changed, by the cloud's clock"),
    Field("self", "self_link", Kind.TEXT, "Path of the image in the API"),
    Field("deleted", "vendor_deleted", Kind.BOOLEAN, "Whether the cloud itself calls the image deleted"),
    Field(
        "virtual_env_type", "virtual_env_type", Kind.TEXT, "Environment the image is for", choices=("FusionCompute",)
    ),
    Field("deleted_at", "vendor_deleted_at", Kind.TIME, "When the cloud itself says it was deleted", blank=True),
    Field("relation_job_id", "relation_job_id", Kind.TEXT, "Id of the job that made the image"),
    Field("__imagetype", "imagetype", Kind.TEXT, "Type of the image; gold is public", choices=IMAGE_TYPES),
    Field("__platform", "platform", Kind.TEXT, "Family of the operating system, such as CentOS"),
    Field("__os_type", "os_type", Kind.TEXT, "Kind of operating system", choices=OS_TYPES),
    Field("__os_version", "os_version", Kind.TEXT, "Exact version of the operating system"),
    Field("__isregistered", "isregistered", Kind.BOOLEAN, "Whether the image is registered, hence usable"),
    Field("__support_kvm", "support_kvm", Kind.FLAG, "Runs on KVM"),
    Field("__support_kvm_gpu_type", "support_kvm_gpu_type", Kind.TEXT, "Type of GPU on KVM", choices=GPU_TYPES),
    Field("__support_kvm_ascend_310", "support_kvm_ascend_310", Kind.FLAG, "Supports AI acceleration (Ascend 310)"),
    Field("__support_kvm_hi1822_hiovs", "support_kvm_hi1822_hiovs", Kind.FLAG, "Supports enhanced computing (Hi1822)"),
    Field("__support_arm", "support_arm", Kind.FLAG, "Runs on ARM"),
    Field("hw_firmware_type", "hw_firmware_type", Kind.TEXT, "How the image boots", choices=("uefi", "bios")),
    Field("data_source", "data_source", Kind.TEXT, "What the image was made from, such as instance:<id>"),
    Field("__support_gpu_t4", "support_gpu_t4", Kind.FLAG, "Supports the GPU T4"),
    Field("__support_amd", "support_amd", Kind.FLAG, "Runs on AMD"),
)

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("__imagetype", Kind.TEXT, "only images of this type", IMAGE_TYPES),
    Parameter("__isregistered", Kind.FLAG, "only (un)registered images; no effect on public", TRUTHS),
    Parameter("__os_type", Kind.TEXT, "only images with this kind of operating system", OS_TYPES),
    Parameter("__support_arm", Kind.FLAG, "only images for ARM", TRUTHS),
    Parameter("__support_gpu_t4", Kind.FLAG, "only images for the GPU T4", TRUTHS),
    Parameter("__support_kvm", Kind.FLAG, "only images for KVM", TRUTHS),
    Parameter("__support_kvm_ascend_310", Kind.FLAG, "only images with AI support", TRUTHS),
    Parameter("__support_kvm_gpu_type", Kind.TEXT, "only images for this GPU", GPU_TYPES),
    Parameter("__support_kvm_hi1822_hiovs", Kind.FLAG, "only enhanced images", TRUTHS),
    Parameter("id", Kind.TEXT, "the image with this id, exactly"),
    Parameter("limit", Kind.INTEGER, "rows per page, 1 to 500 (default 500)"),
    Parameter("name", Kind.TEXT, "images with this name, exactly"),
    Parameter("offset", Kind.INTEGER, "rows to skip (default 0)"),
    Parameter("protected", Kind.FLAG, "only (un)protected images", TRUTHS),
    Parameter("sort_dir", Kind.TEXT, "ascending or descending (default desc)", ("asc", "desc")),
    Parameter("sort_key", Kind.TEXT, "order (default created_at)", ("name", "status", "disk_format", "created_at")),
    Parameter("status", Kind.TEXT, "only images in this state", STATUSES),
    Parameter("virtual_env_type", Kind.TEXT, "only images for this environment", ("FusionCompute",)),
    Parameter("visibility", Kind.TEXT, "only public or private images", VISIBILITIES),
    Parameter("__support_amd", Kind.FLAG, "only images for AMD", TRUTHS),
)

BY_API: dict[str, Field] = {field.api: field for field in FIELDS}
COLUMNS: tuple[str, ...] = tuple(field.column for field in FIELDS)
FILTERS: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS if parameter.name in BY_API}
PAGE_LIMIT = 500
