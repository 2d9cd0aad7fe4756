"""What of an instance leaves the server."""

from __future__ import annotations

import math
from typing import Any

from jupyter_autostop.platforms.modelarts.models import Instance

# The allow-list of what leaves the server: field by field, so that no credential, token or signed URL can pass.
# Free-form maps (annotations, labels, extend_params, details) and the repository's connection are left out.
_FLAVOR = {
    "name", "status", "queuing_num", "queue_left_time", "storage_list", "is_permitted", "type", "promo_type",
    "instance_num", "duration", "store_time", "billing_flavor", "billing_params",
}  # fmt: skip
_SHOWN: dict[str, Any] = {
    "id": True,
    "name": True,
    "description": True,
    "status": True,
    "creation_timestamp": True,
    "latest_update_timestamp": True,
    "profile": {"id", "name", "description", "de_type", "flavor_type"},
    "flavor": True,
    "flavor_details": _FLAVOR,
    "pool": {"id": True, "name": True, "type": True, "owner": {"id"}},
    "spec": {
        "storage": {"type": True, "location": {"path", "volume_size", "volume_unit"}},
        "resource_reserved_timestamp": True,
        "failed_reasons": {"code", "message"},
    },
    "workspace": {"id"},
    "ai_project": {"id"},
    "error_code": True,
    "queuing_info": {
        "id", "name", "de_type", "flavor", "status", "begin_timestamp", "remain_time", "end_timestamp", "rank",
    },
    "user": {"id", "name"},
    "repository": {"id", "branch", "type"},
}  # fmt: skip
_PARAMS = ("CPU", "GPU", "NPU", "gpu_type", "npu_type", "memory")


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (str, int)) and not isinstance(value, bool) and len(str(value)) <= 64  # noqa: PLR2004


def shown_instance(instance: Instance) -> dict[str, Any]:
    """Return what clients see of an instance: documented, harmless fields; its times as epoch ms."""
    shown = instance.model_dump(mode="json", include=_SHOWN, exclude_unset=True)
    for key in ("creation_timestamp", "latest_update_timestamp"):
        text = shown.get(key)
        if text is not None:
            shown[key] = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None  # noqa: PLR2004
    details = instance.flavor_details
    if details and details.params:
        shown["flavor_details"]["params"] = {
            key: details.params[key] for key in _PARAMS if _is_plain(details.params.get(key))
        }
    return shown
