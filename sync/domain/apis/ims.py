"""Huawei Cloud IMS: ``GET /v2/cloudimages``, a project's list by marker.

Unregistered images are in no usual list, so they are read as a list of their own, before and after the usual one: an
image that is registered or unregistered meanwhile is in one of the three.

Source: the vendor's document of ``ListImages`` of IMS, and the models of its Python SDK.
"""

from __future__ import annotations

from sync.domain.apis.api import Api, Part
from sync.domain.fields import Field, Kind, Parameter

STATUSES = ("queued", "saving", "deleted", "killed", "active")
TRUTHS = ("true", "false")
_IMAGE_TYPES = ("gold", "private", "shared", "market")
_OS_TYPES = ("Linux", "Windows", "Other")
_VISIBILITIES = ("public", "private", "shared")
_ENVIRONMENTS = ("FusionCompute", "Ironic", "DataImage")
_BITS = ("32", "64")
_FORMATS = ("vhd", "zvhd", "raw", "qcow2", "zvhd2")
_SORT_KEYS = ("name", "container_format", "disk_format", "status", "id", "size", "created_at")
_UNREGISTERED = (("__isregistered", "false"),)

_FIELDS = (
    Field("__backup_id", "", Kind.TEXT, "Id of the backup that the image was made from"),
    Field("__data_origin", "data_origin", Kind.TEXT),
    Field("__description", "", Kind.TEXT, "Description"),
    Field("__image_size", "size_bytes", Kind.NUMERAL),
    Field("__image_source_type", "", Kind.TEXT, "Kind of storage behind the image"),
    Field("__imagetype", "imagetype", Kind.TEXT, choices=_IMAGE_TYPES),
    Field("__isregistered", "isregistered", Kind.FLAG),
    Field("__originalimagename", "parent_image_id", Kind.TEXT),
    Field("__os_bit", "os_bit", Kind.TEXT, choices=_BITS),
    Field("__os_type", "os_type", Kind.TEXT, choices=_OS_TYPES),
    Field("__os_version", "os_version", Kind.TEXT),
    Field("__platform", "platform", Kind.TEXT),
    Field("__productcode", "product_code", Kind.TEXT),
    Field("__support_diskintensive", "", Kind.FLAG, "Supports dense storage"),
    Field("__support_highperformance", "", Kind.FLAG, "Supports high computing performance"),
    Field("__support_kvm", "support_kvm", Kind.FLAG),
    Field("__support_kvm_gpu_type", "support_kvm_gpu_type", Kind.TEXT),
    Field("__support_kvm_infiniband", "", Kind.FLAG, "Supports InfiniBand cards on KVM"),
    Field("__support_largememory", "", Kind.FLAG, "Supports very large memory"),
    Field("__support_xen", "", Kind.FLAG, "Runs on Xen"),
    Field("__support_xen_gpu_type", "", Kind.TEXT, "Type of GPU on Xen"),
    Field("__support_xen_hana", "", Kind.FLAG, "Supports HANA on Xen"),
    Field("__system_support_market", "", Kind.BOOLEAN, "Whether it can be published in the market place"),
    Field("checksum", "checksum", Kind.TEXT),
    Field("container_format", "container_format", Kind.TEXT),
    Field("created_at", "created_at", Kind.TIME),
    Field("disk_format", "disk_format", Kind.TEXT, choices=_FORMATS),
    Field("enterprise_project_id", "enterprise_project_id", Kind.TEXT),
    Field("file", "", Kind.TEXT, "Path for upload and download of the file"),
    Field("id", "id", Kind.TEXT),
    Field("min_disk", "min_disk", Kind.INTEGER),
    Field("min_ram", "min_ram", Kind.INTEGER),
    Field("name", "name", Kind.TEXT),
    Field("owner", "owner", Kind.TEXT),
    Field("protected", "protected", Kind.BOOLEAN),
    Field("schema", "", Kind.TEXT, "Path of the schema of an image"),
    Field("self", "self_link", Kind.TEXT),
    Field("size", "", Kind.INTEGER, "Unused at present"),
    Field("status", "status", Kind.TEXT, choices=STATUSES),
    Field("tags", "tags", Kind.TAGS),
    Field("updated_at", "updated_at", Kind.TIME),
    Field("virtual_env_type", "virtual_env_type", Kind.TEXT, choices=_ENVIRONMENTS),
    Field("virtual_size", "", Kind.INTEGER, "Unused at present"),
    Field("visibility", "visibility", Kind.TEXT, choices=_VISIBILITIES),
    Field("__support_fc_inject", "", Kind.FLAG, "true: passwords and keys can NOT be injected by cloud-init"),
    Field("hw_firmware_type", "hw_firmware_type", Kind.TEXT, choices=("bios", "uefi")),
    Field("__support_arm", "support_arm", Kind.FLAG),
    Field("max_ram", "", Kind.NUMERAL, "Largest memory, in MB"),
    Field("__system__cmkid", "encryption_key_id", Kind.TEXT),
    Field("__os_feature_list", "", Kind.TEXT, "Advanced features of the system"),
    Field("__account_code", "", Kind.TEXT, "Code by which a charged image is billed"),
    Field("hw_vif_multiqueue_enabled", "", Kind.FLAG, "Supports several queues of a network card"),
    Field("__is_offshelved", "offshelved", Kind.FLAG),
    Field("__lazyloading", "", Kind.FLAG, "Supports delayed loading"),
    Field("__root_origin", "", Kind.TEXT, "Set if the image was imported from outside"),
    Field("__sequence_num", "", Kind.TEXT, "Slot of the system disk on the server"),
    Field("active_at", "active_at", Kind.TIME),
    Field("__support_agent_list", "", Kind.TEXT, "Which agents are supported, or installed"),
    Field("__image_displayname", "", Kind.TEXT, "Name that is displayed outside"),
    Field("__support_amd", "support_amd", Kind.FLAG),
    Field("__support_kvm_hi1822_hisriov", "", Kind.FLAG, "Supports SR-IOV pass-through (Hi1822)"),
    Field("__support_kvm_hi1822_hivirtionet", "", Kind.FLAG, "Supports virtio-net pass-through (Hi1822)"),
    Field("os_shutdown_timeout", "", Kind.NUMERAL, "Seconds a server has to shut down before it is forced"),
)

_PARAMETERS = (
    Parameter("__imagetype", Kind.TEXT, "only this type", _IMAGE_TYPES),
    Parameter(
        "__isregistered",
        Kind.FLAG,
        "only (un)registered images (default true)",
        TRUTHS,
    ),
    Parameter("__os_bit", Kind.TEXT, "only this many bits", _BITS),
    Parameter("__os_type", Kind.TEXT, "only this kind of system", _OS_TYPES),
    Parameter("__platform", Kind.TEXT, "only this family"),
    Parameter("__support_diskintensive", Kind.FLAG, "only with dense storage", ("true",)),
    Parameter("__support_highperformance", Kind.FLAG, "only with high performance", ("true",)),
    Parameter("__support_kvm", Kind.FLAG, "only for KVM", ("true",)),
    Parameter("__support_kvm_gpu_type", Kind.TEXT, "only for this GPU on KVM"),
    Parameter("__support_kvm_infiniband", Kind.FLAG, "only with InfiniBand", ("true",)),
    Parameter("__support_largememory", Kind.FLAG, "only with very large memory", ("true",)),
    Parameter("__support_xen", Kind.FLAG, "only for Xen", ("true",)),
    Parameter("__support_xen_gpu_type", Kind.TEXT, "only for this GPU on Xen"),
    Parameter("__support_xen_hana", Kind.FLAG, "only with HANA", ("true",)),
    Parameter("container_format", Kind.TEXT, "only this container format"),
    Parameter("disk_format", Kind.TEXT, "only this disk format"),
    Parameter(
        "enterprise_project_id",
        Kind.TEXT,
        "only of this one; all_granted_eps: all that one may see",
    ),
    Parameter("id", Kind.TEXT, "the image with this id"),
    Parameter("limit", Kind.INTEGER, "rows per page; default 500", filter=False),
    Parameter("marker", Kind.TEXT, "the list continues after this image", filter=False),
    Parameter("member_status", Kind.TEXT, "shared images in this state", ("accepted", "rejected", "pending")),
    Parameter("min_disk", Kind.INTEGER, "smallest disk, GB"),
    Parameter("min_ram", Kind.INTEGER, "smallest memory, MB"),
    Parameter("name", Kind.TEXT, "images of this name"),
    Parameter("owner", Kind.TEXT, "images of this project"),
    Parameter("protected", Kind.FLAG, "only (un)protected images", TRUTHS),
    Parameter("sort_dir", Kind.TEXT, "direction; default desc", ("asc", "desc"), filter=False),
    Parameter("sort_key", Kind.TEXT, "order; default the time of creation", _SORT_KEYS, filter=False),
    Parameter("status", Kind.TEXT, "only in this state", STATUSES),
    Parameter("tag", Kind.TEXT, "only with this tag (the field is `tags`)"),
    Parameter("virtual_env_type", Kind.TEXT, "only for this environment", _ENVIRONMENTS),
    Parameter("visibility", Kind.TEXT, "who sees it", _VISIBILITIES),
    Parameter("flavor_id", Kind.TEXT, "public images that fit this server flavor (no field)"),
    Parameter("created_at", Kind.TEXT, "created before, after, at: operator:time"),
    Parameter("updated_at", Kind.TEXT, "changed before, after, at: operator:time"),
    Parameter("architecture", Kind.TEXT, "kind of processor (no field)", ("x86", "arm")),
)

IMS = Api(
    name="ims",
    title="Huawei Cloud IMS",
    fields=_FIELDS,
    parameters=_PARAMETERS,
    path="/v2/cloudimages",
    limit=500,
    order=(("sort_key", "id"), ("sort_dir", "asc")),
    descending=(("sort_key", "id"), ("sort_dir", "desc")),
    parts=(Part("unregistered", _UNREGISTERED), Part("registered"), Part("unregistered again", _UNREGISTERED)),
    lookups=((), _UNREGISTERED, ()),  # the first one again: the image may have been registered in between
    widest_if_named=(("enterprise_project_id", "all_granted_eps"),),
    permissions=("ims:images:list", "ims:images:get"),
    service_types=("image", "ims"),
    project_scoped=True,
    signed=True,
    hints=(("enterprise", "set the filter to enterprise_project_id=all_granted_eps, or to one project's id"),),
)
