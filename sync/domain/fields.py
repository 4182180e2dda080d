"""The columns of an image, which all APIs share, and the words in which an API declares its fields and parameters.

Tables, column comments and documentation are derived from ``IMAGE_COLUMNS``; what each API calls them is in
``sync.domain.apis``. A field without a column of its own stays in ``extra``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The type of a value, in an API's JSON and here."""

    TEXT = "text"
    INTEGER = "integer"
    NUMERAL = "numeral"  # an integer here; the API writes its digits as text
    BOOLEAN = "boolean"
    FLAG = "flag"  # a boolean here; the API writes the text "true" or "false", or leaves the field out
    TIME = "time"  # an instant here; the API writes text as in RFC 3339
    TAGS = "tags"  # a set of texts; the API writes a list whose order means nothing


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an image.

    Attributes:
        name: its name in the database.
        kind: its type.
        meaning: its meaning in one line.
        unit: unit of a number, or "".
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One response field of an API.

    Attributes:
        api: its name in the API's JSON.
        column: its name in the database; "" if it has no column and stays in ``extra``.
        kind: its type.
        meaning: its meaning in one line; "" if it is that of its column.
        choices: the values that the API's document names; others do occur.
        blank: whether the API writes ``""`` for a field without a value, instead of leaving it out.
        alias: another name by which some versions of the API send it, or "".
    """

    api: str
    column: str
    kind: Kind
    meaning: str = ""
    choices: tuple[str, ...] = ()
    blank: bool = False
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter of an API's list.

    Attributes:
        name: its name in the query.
        kind: its type; all are sent as text.
        meaning: its effect, in one line.
        choices: the values it accepts, or () for any.
        filter: whether it selects images, so that a source may have it as its filter.
    """

    name: str
    kind: Kind
    meaning: str
    choices: tuple[str, ...] = ()
    filter: bool = True


IMAGE_COLUMNS: tuple[Column, ...] = (
    Column("id", Kind.TEXT, "Id of the image, given by the cloud"),
    Column("name", Kind.TEXT, "Name of the image"),
    Column("status", Kind.TEXT, "State of the image in the cloud"),
    Column("disk_format", Kind.TEXT, "Format of the image file, such as zvhd2"),
    Column("min_disk", Kind.INTEGER, "Smallest system disk the image runs on", unit="GB"),
    Column("min_ram", Kind.INTEGER, "Smallest memory the image runs with; 0 is no limit", unit="MB"),
    Column("owner", Kind.TEXT, "Id of the project that owns the image"),
    Column("protected", Kind.BOOLEAN, "Whether the cloud refuses to delete the image"),
    Column("visibility", Kind.TEXT, "Who sees the image"),
    Column("created_at", Kind.TIME, "When the image was created, by the cloud's clock"),
    Column("updated_at", Kind.TIME, "When the image was last changed, by the cloud's clock"),
    Column("self_link", Kind.TEXT, "Path of the image in the API"),
    Column("vendor_deleted", Kind.BOOLEAN, "Whether the cloud itself calls the image deleted"),
    Column("virtual_env_type", Kind.TEXT, "Environment the image is for"),
    Column("vendor_deleted_at", Kind.TIME, "When the cloud itself says it was deleted"),
    Column("relation_job_id", Kind.TEXT, "Id of the job that made the image"),
    Column("imagetype", Kind.TEXT, "Type of the image; gold is public"),
    Column("platform", Kind.TEXT, "Family of the operating system, such as CentOS"),
    Column("os_type", Kind.TEXT, "Kind of operating system"),
    Column("os_version", Kind.TEXT, "Exact version of the operating system"),
    Column("isregistered", Kind.BOOLEAN, "Whether the image is registered, hence usable"),
    Column("support_kvm", Kind.BOOLEAN, "Runs on KVM"),
    Column("support_kvm_gpu_type", Kind.TEXT, "Type of GPU on KVM"),
    Column("support_kvm_ascend_310", Kind.BOOLEAN, "Supports AI acceleration (Ascend 310)"),
    Column("support_kvm_hi1822_hiovs", Kind.BOOLEAN, "Supports enhanced computing (Hi1822)"),
    Column("support_arm", Kind.BOOLEAN, "Runs on ARM"),
    Column("hw_firmware_type", Kind.TEXT, "How the image boots"),
    Column("data_source", Kind.TEXT, "What the image was made from, such as instance:<id>"),
    Column("support_gpu_t4", Kind.BOOLEAN, "Supports the GPU T4"),
    Column("support_amd", Kind.BOOLEAN, "Runs on AMD"),
    Column("container_format", Kind.TEXT, "Format of the container around the image file, such as bare"),
    Column("size_bytes", Kind.INTEGER, "Size of the image file", unit="bytes"),
    Column("checksum", Kind.TEXT, "MD5 of the image file"),
    Column("hash_algorithm", Kind.TEXT, "Algorithm of hash_value, such as sha512"),
    Column("hash_value", Kind.TEXT, "Hash of the image file"),
    Column("tags", Kind.TAGS, "Tags, sorted, each once"),
    Column("hidden", Kind.BOOLEAN, "Whether the cloud leaves the image out of its usual list"),
    Column("enterprise_project_id", Kind.TEXT, "Id of the enterprise project; 0 is the default one"),
    Column("parent_image_id", Kind.TEXT, "Id of the image that this one was made from"),
    Column("data_origin", Kind.TEXT, "What the image was made from, such as server_backup,<id>"),
    Column("encryption_key_id", Kind.TEXT, "Id of the key that encrypts the image"),
    Column("active_at", Kind.TIME, "When the image became usable, by the cloud's clock"),
    Column("os_bit", Kind.TEXT, "Bits of the operating system, such as 64"),
    Column("offshelved", Kind.BOOLEAN, "Whether a public image was taken off the shelf"),
    Column("product_code", Kind.TEXT, "Product code of an image from the marketplace"),
)

COLUMNS: tuple[str, ...] = tuple(column.name for column in IMAGE_COLUMNS)
