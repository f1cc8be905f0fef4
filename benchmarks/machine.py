"""What the measurements ran on."""

import os
import platform
import subprocess
from pathlib import Path


def facts() -> dict[str, str]:
    return {
        "Processor": f"{os.cpu_count()} x {_field('/proc/cpuinfo', 'model name')}",
        "Memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024 / 1024:.0f} GiB",
        "Kernel": platform.release(),
        "System": _release(),
        "Load generator and next hop": "smtp-source and smtp-sink, on the same processors",
        "Node": _said("node", "--version"),
    }


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0 unknown"


def _release() -> str:
    name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    version = Path("/etc/debian_version")
    return f"{name} {version.read_text().strip()}" if version.exists() else name


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return "-"
