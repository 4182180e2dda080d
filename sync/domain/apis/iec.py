"""Huawei Cloud IEC (Intelligent EdgeCloud): ``GET /v1/images``, a global list by offset.

Source: the vendor's document of ``ListImages`` (tables "request parameters" and "response parameters", status 200).
"""

from __future__ import annotations

from sync.domain.apis.api import Api
from sync.domain.fields import Field, Kind, Parameter

STATUSES = ("queued", "saving", "deleted", "killed", "active")
TRUTHS = ("true", "false")
GPU_TYPES = ("V100_vGPU", "RTX5000")
OS_TYPES = ("Linux", "Windows", "Other")
IMAGE_TYPES = ("gold", "private")
VISIBILITIES = ("public", "private")
_SORT_KEYS = ("name", "status", "disk_format", "created_at")

_FIELDS = (
    Field("id", "id", Kind.TEXT),
    Field("name", "name", Kind.TEXT),
    Field("status", "status", Kind.TEXT, choices=STATUSES),
    Field("disk_format", "disk_format", Kind.TEXT),
    Field("min_disk", "min_disk", Kind.INTEGER),
    Field("min_ram", "min_ram", Kind.INTEGER),
    Field("owner", "owner", Kind.TEXT),
    Field("protected", "protected", Kind.BOOLEAN),
    Field("visibility", "visibility", Kind.TEXT, choices=VISIBILITIES),
    Field("created_at", "created_at", Kind.TIME),
    Field("updated_at", "updated_at", Kind.TIME),
    Field("self", "self_link", Kind.TEXT),
    Field("deleted", "vendor_deleted", Kind.BOOLEAN),
    Field("virtual_env_type", "virtual_env_type", Kind.TEXT, choices=("FusionCompute",)),
    Field("deleted_at", "vendor_deleted_at", Kind.TIME, blank=True),
    Field("relation_job_id", "relation_job_id", Kind.TEXT, alias="related_job_id"),
    Field("__imagetype", "imagetype", Kind.TEXT, choices=IMAGE_TYPES),
    Field("__platform", "platform", Kind.TEXT),
    Field("__os_type", "os_type", Kind.TEXT, choices=OS_TYPES),
    Field("__os_version", "os_version", Kind.TEXT),
    Field("__isregistered", "isregistered", Kind.BOOLEAN),
    Field("__support_kvm", "support_kvm", Kind.FLAG),
    Field("__support_kvm_gpu_type", "support_kvm_gpu_type", Kind.TEXT, choices=GPU_TYPES),
    Field("__support_kvm_ascend_310", "support_kvm_ascend_310", Kind.FLAG),
    Field("__support_kvm_hi1822_hiovs", "support_kvm_hi1822_hiovs", Kind.FLAG),
    Field("__support_arm", "support_arm", Kind.FLAG),
    Field("hw_firmware_type", "hw_firmware_type", Kind.TEXT, choices=("uefi", "bios")),
    Field("data_source", "data_source", Kind.TEXT),
    Field("__support_gpu_t4", "support_gpu_t4", Kind.FLAG),
    Field("__support_amd", "support_amd", Kind.FLAG),
)

_PARAMETERS = (
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
    Parameter("limit", Kind.INTEGER, "rows per page, 1 to 500 (default 500)", filter=False),
    Parameter("name", Kind.TEXT, "images with this name, exactly"),
    Parameter("offset", Kind.INTEGER, "rows to skip (default 0)", filter=False),
    Parameter("protected", Kind.FLAG, "only (un)protected images", TRUTHS),
    Parameter("sort_dir", Kind.TEXT, "ascending or descending (default desc)", ("asc", "desc"), filter=False),
    Parameter(
        "sort_key",
        Kind.TEXT,
        "order (default created_at)",
        ("name", "status", "disk_format", "created_at"),
        filter=False,
    ),
    Parameter("status", Kind.TEXT, "only images in this state", STATUSES[1:]),
    Parameter("virtual_env_type", Kind.TEXT, "only images for this environment", ("FusionCompute",)),
    Parameter("visibility", Kind.TEXT, "only public or private images", VISIBILITIES),
    Parameter("__support_amd", Kind.FLAG, "only images for AMD", TRUTHS),
)

IEC = Api(
    name="iec",
    title="Huawei Cloud IEC",
    fields=_FIELDS,
    parameters=_PARAMETERS,
    path="/v1/images",
    limit=500,
    order=(("sort_key", "created_at"), ("sort_dir", "asc")),
    descending=(("sort_key", "created_at"), ("sort_dir", "desc")),
    by_marker=False,
    counted=True,
    permissions=("iec:image:list", "iec:image:get"),
    signed=True,
    temporary=frozenset({(400, "IEC.000000")}),
)
