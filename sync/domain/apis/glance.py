"""OpenStack Glance: ``GET /v2/images``, a project's list by marker.

Hidden images are in no usual list, so they are read as a list of their own, before and after the usual one: an image
that is hidden or shown meanwhile is in one of the three. Properties that users define stand beside the documented
fields, always as text; they stay in ``extra``.

Source: the image service's API reference v2, tables of "List images" and "Show image", and its schema of an image.
"""

from __future__ import annotations

from sync.domain.apis.api import Api, Part
from sync.domain.fields import Field, Kind, Parameter

STATUSES = (
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
)
VISIBILITIES = ("public", "private", "shared", "community")
TRUTHS = ("true", "false")
_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "gpt")
_CONTAINERS = ("bare", "ovf", "ova", "aki", "ari", "ami", "docker", "compressed")
_FIRMWARES = ("bios", "uefi")

_FIELDS = (
    Field("id", "id", Kind.TEXT),
    Field("name", "name", Kind.TEXT),
    Field("status", "status", Kind.TEXT, choices=STATUSES),
    Field("disk_format", "disk_format", Kind.TEXT, choices=_FORMATS),
    Field("container_format", "container_format", Kind.TEXT, choices=_CONTAINERS),
    Field("min_disk", "min_disk", Kind.INTEGER),
    Field("min_ram", "min_ram", Kind.INTEGER),
    Field("owner", "owner", Kind.TEXT),
    Field("protected", "protected", Kind.BOOLEAN),
    Field("visibility", "visibility", Kind.TEXT, choices=VISIBILITIES),
    Field("os_hidden", "hidden", Kind.BOOLEAN),
    Field("created_at", "created_at", Kind.TIME),
    Field("updated_at", "updated_at", Kind.TIME),
    Field("tags", "tags", Kind.TAGS),
    Field("size", "size_bytes", Kind.INTEGER),
    Field("virtual_size", "", Kind.INTEGER, "Size of the disk in the image, in bytes"),
    Field("checksum", "checksum", Kind.TEXT),
    Field("os_hash_algo", "hash_algorithm", Kind.TEXT),
    Field("os_hash_value", "hash_value", Kind.TEXT),
    Field("hw_firmware_type", "hw_firmware_type", Kind.TEXT, choices=_FIRMWARES),
    Field("self", "self_link", Kind.TEXT),
    Field("file", "", Kind.TEXT, "Path of the image file in the API"),
    Field("schema", "", Kind.TEXT, "Path of the schema of an image in the API"),
    Field("stores", "", Kind.TEXT, "Stores that hold the image file"),
    Field("os_type", "", Kind.TEXT, "Kind of operating system, such as linux"),
    Field("os_distro", "", Kind.TEXT, "Distribution of the operating system, such as ubuntu"),
    Field("os_version", "", Kind.TEXT, "Version of the operating system, such as 22.04"),
    Field("os_admin_user", "", Kind.TEXT, "Name of the administrator in the operating system"),
    Field("architecture", "", Kind.TEXT, "Architecture of the processor, such as x86_64"),
    Field("image_type", "", Kind.TEXT, "snapshot: made from a server"),
    Field("base_image_ref", "", Kind.TEXT, "Id of the image that the server of a snapshot was made from"),
    Field("instance_uuid", "", Kind.TEXT, "Id of the server that a snapshot was made from"),
    Field("user_id", "", Kind.TEXT, "Id of the user who made a snapshot"),
)

_PARAMETERS = (
    Parameter("checksum", Kind.TEXT, "only images with this MD5 of their file"),
    Parameter("container_format", Kind.TEXT, "only images in this container", _CONTAINERS),
    Parameter("created_at", Kind.TEXT, "images that were created then, such as gte:2024-01-01T00:00:00Z"),
    Parameter("disk_format", Kind.TEXT, "only images in this format", _FORMATS),
    Parameter("id", Kind.TEXT, "the image with this id, exactly"),
    Parameter("limit", Kind.INTEGER, "rows per page; the server may give fewer (default 25)", filter=False),
    Parameter("marker", Kind.TEXT, "id of the image after which the page begins", filter=False),
    Parameter("member_status", Kind.TEXT, "shared images in this state", ("accepted", "pending", "rejected", "all")),
    Parameter("name", Kind.TEXT, "images with this name, exactly"),
    Parameter("os_hidden", Kind.FLAG, "only hidden images, or none of them (default false)", TRUTHS),
    Parameter("owner", Kind.TEXT, "only images of this project"),
    Parameter("protected", Kind.FLAG, "only (un)protected images", TRUTHS),
    Parameter("size_max", Kind.INTEGER, "only images up to this size in bytes"),
    Parameter("size_min", Kind.INTEGER, "only images from this size in bytes on"),
    Parameter("sort", Kind.TEXT, "orders, each as key:direction", filter=False),
    Parameter("sort_dir", Kind.TEXT, "ascending or descending (default desc)", ("asc", "desc"), filter=False),
    Parameter("sort_key", Kind.TEXT, "order (default created_at)", filter=False),
    Parameter("status", Kind.TEXT, "only images in this state", STATUSES),
    Parameter("tag", Kind.TEXT, "only images with this tag"),
    Parameter("updated_at", Kind.TEXT, "images that were changed then, such as gt:2024-01-01T00:00:00Z"),
    Parameter(
        "visibility",
        Kind.TEXT,
        "only images that are seen so; all adds other projects' community images",
        (*VISIBILITIES, "all"),
    ),
)

GLANCE = Api(
    name="glance",
    title="OpenStack Glance",
    fields=_FIELDS,
    parameters=_PARAMETERS,
    path="/v2/images",
    limit=1000,
    order=(("sort_key", "id"), ("sort_dir", "asc")),
    descending=(("sort_key", "id"), ("sort_dir", "desc")),
    parts=(Part("hidden", (("os_hidden", "true"),)), Part("visible"), Part("hidden again", (("os_hidden", "true"),))),
    image_path="/v2/images/{id}",
    own_header="x-openstack-request-id",
    widest=(("visibility", "all"), ("member_status", "all")),
    user_defined_fields=True,
    errors_as_pages=True,
    never_stored=frozenset({"locations", "direct_url"}),
    permissions=("get_images", "get_image"),
    service_types=("image",),
    project_scoped=True,
    admins_see_all=True,
)
