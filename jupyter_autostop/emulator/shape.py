"""The documented shape of an instance's answer.

Source: the sample answer of the update API, "Modifying a Development Environment Instance"; the values are examples.
"""

from __future__ import annotations

from typing import Any

from jupyter_autostop.emulator import defaults

_FLAVOR = "modelarts.vm.gpu.v100"


def documented(instance_id: str, host: str = "https://notebook.modelarts.example.com") -> dict[str, Any]:
    """Return every field of the documented sample that does not change while an instance lives."""
    return {
        "ai_project": {"id": "default-ai-project"},
        "creation_timestamp": "",
        "description": "",
        "flavor": _FLAVOR,
        "flavor_details": {
            "name": _FLAVOR,
            "params": {"CPU": 8, "GPU": 1, "gpu_type": "v100NV32", "memory": "64GiB"},
            "status": "onSale",
            "type": "GPU",
        },
        "id": instance_id,
        "latest_update_timestamp": "",
        "name": "",
        "profile": {
            "de_type": "Notebook",
            "description": "multi engine, gpu, python 3 for notebook",
            "flavor_type": "GPU",
            "id": "Python3-gpu",
            "name": "Python3",
            "provision": {
                "annotations": {"category": "Multi-Engine (Recommend)", "flavor": _FLAVOR, "type": "system"},
                "spec": {
                    "engine": "CCE",
                    "params": {
                        "annotations": None,
                        "image_name": "mul-kernel-gpu-example",
                        "image_tag": "1.0.0",
                        "namespace": "atelier",
                    },
                },
                "type": "Docker",
            },
        },
        "spec": {
            "annotations": {"target_domain": host, "url": f"{host}/modelarts/hub/notebook/user/{instance_id}"},
            "auto_stop": {},
            "extend_params": None,
            "failed_reasons": None,
            "repository": None,
            "storage": {
                "location": {"path": "/home/ma-user/work", "volume_size": 5, "volume_unit": "GB"},
                "type": "evs",
            },
        },
        "status": "",
        "user": {"id": defaults.USER_ID, "name": defaults.IAM_USER},
        "workspace": {"id": "0"},
    }


def set_path(data: dict[str, Any], path: str, value: Any) -> None:
    """Set the field at a dotted path, making objects on the way."""
    *parents, last = path.split(".")
    for name in parents:
        inner = data.get(name)
        if not isinstance(inner, dict):
            inner = data[name] = {}
        data = inner
    data[last] = value


def remove_path(data: dict[str, Any], path: str) -> None:
    """Remove the field at a dotted path, if it is there."""
    *parents, last = path.split(".")
    inner: Any = data
    for name in parents:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(last, None)
