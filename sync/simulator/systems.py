"""The operating systems and image names that occur in a believable account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """One operating system, so that ``__platform``, ``__os_type`` and ``__os_version`` always fit each other.

    Attributes:
        platform: family, such as CentOS.
        os_type: Linux, Windows or Other.
        version: exact version.
        disk: smallest system disk in GB.
        arm: whether it runs on ARM, and therefore boots by UEFI.
    """

    platform: str
    os_type: str
    version: str
    disk: int = 40
    arm: bool = False


SYSTEMS: tuple[System, ...] = (
    System("CentOS", "Linux", "CentOS 7.4 64bit"),
    System("CentOS", "Linux", "CentOS 7.6 64bit"),
    System("CentOS", "Linux", "CentOS 7.9 64bit"),
    System("CentOS", "Linux", "CentOS 7.6 64bit with ARM", arm=True),
    System("CentOS", "Linux", "CentOS 8.2 64bit"),
    System("Ubuntu", "Linux", "Ubuntu 18.04 server 64bit"),
    System("Ubuntu", "Linux", "Ubuntu 18.04 server 64bit with ARM", arm=True),
    System("Ubuntu", "Linux", "Ubuntu 20.04 server 64bit"),
    System("Ubuntu", "Linux", "Ubuntu 22.04 server 64bit"),
    System("Debian", "Linux", "Debian 10.0.0 64bit"),
    System("Debian", "Linux", "Debian 11.1.0 64bit"),
    System("EulerOS", "Linux", "EulerOS 2.5 64bit"),
    System("EulerOS", "Linux", "EulerOS 2.8 64bit with ARM", arm=True),
    System("EulerOS", "Linux", "EulerOS 2.9 64bit"),
    System("OpenEuler", "Linux", "openEuler 20.03 LTS SP3 64bit"),
    System("Fedora", "Linux", "Fedora 35 64bit"),
    System("Windows", "Windows", "Windows Server 2012 R2 Datacenter 64bit", disk=60),
    System("Windows", "Windows", "Windows Server 2016 Standard 64bit", disk=60),
    System("Windows", "Windows", "Windows Server 2019 Datacenter 64bit", disk=60),
    System("Windows", "Windows", "Windows Server 2022 Datacenter 64bit", disk=80),
    System("Other", "Other", "Other (64 bit)"),
)

ROLES: tuple[str, ...] = (
    "web-frontend",
    "api-gateway",
    "billing",
    "build-agent",
    "cdn-edge",
    "ces",
    "game-server",
    "jump-host",
    "kafka-broker",
    "live-transcode",
    "mysql-primary",
    "nginx-base",
    "postgres-replica",
    "redis-cache",
    "render-node",
    "video-ingest",
    "电商前端",
    "订单服务",
    "人脸识别推理",
    "直播转码节点",
    "边缘缓存",
    "测试环境-基础镜像",
)

VARIANTS: tuple[str, ...] = ("", "-prod", "-staging", "-dev", "-golden", "-hardened", "-生产", "-备份")

REGIONS: tuple[str, ...] = ("cn-north-4", "cn-east-3", "cn-south-1", "cn-southwest-2")
