"""What clients see of an instance: each documented, harmless field, in a form that browsers read, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.modelarts.public_fields import shown_instance

HIDDEN = "a-thing-that-nobody-may-see"
# An answer with every documented field (its Tables 5 to 23), those that clients do not see marked.
WHOLE: dict[str, Any] = {
    "id": "DE-1",
    "name": "notebook-1",
    "description": "run 7",
    "status": "RUNNING",
    "creation_timestamp": "1594887749962",
    "latest_update_timestamp": "1594888070775",
    "profile": {
        "id": "DEPF-1",
        "name": "image",
        "description": "what it holds",
        "de_type": "Notebook",
        "provision": {
            "type": HIDDEN,
            "spec": {"engine": HIDDEN, "params": {"a": HIDDEN}},
            "annotations": {"b": HIDDEN},
        },
        "labels": {"c": HIDDEN},
        "flavor_type": "GPU",
    },
    "flavor": "modelarts.bm.gpu.v100NV32",
    "flavor_details": {
        "name": "modelarts.bm.gpu.v100NV32",
        "status": "onSale",
        "queuing_num": 1,
        "queue_left_time": 2,
        "storage_list": ["evs"],
        "is_permitted": True,
        "type": "GPU",
        "params": {
            "CPU": 8,
            "GPU": 1,
            "NPU": 2,
            "gpu_type": "v100NV32",
            "npu_type": "d910",
            "memory": "64GiB",
            "CPU2": HIDDEN,
            "url": HIDDEN,
        },
        "promo_type": "NoDiscount",
        "instance_num": 3,
        "duration": 4,
        "store_time": 5,
        "billing_flavor": "b",
        "billing_params": 6,
    },
    "pool": {"id": "pool-1", "name": "ours", "type": "USER_DEFINED", "owner": {"id": "project-1"}},
    "spec": {
        "log_path": HIDDEN,
        "custom_script_path": HIDDEN,
        "storage": {
            "type": "evs",
            "location": {"path": "/home/ma-user/work", "volume_size": 50, "volume_unit": "GB", "url": HIDDEN},
        },
        "credential": {"access_key": HIDDEN},
        "repository": {"id": HIDDEN},
        "resource_reserved_timestamp": 1594891408724,
        "auto_stop": {"enable": True, "duration": 3600, "prompt": True},
        "failed_reasons": {"code": "F.1", "message": "why", "detail": {"d": HIDDEN}},
        "annotations": {"e": HIDDEN},
        "extend_params": {"f": HIDDEN},
    },
    "workspace": {"id": "0"},
    "ai_project": {"id": "default"},
    "error_code": "E.1",
    "queuing_info": {
        "id": "q-1",
        "name": "queued",
        "de_type": "Notebook",
        "flavor": "modelarts.vm.cpu.2u",
        "flavor_details": {"name": HIDDEN},
        "status": "START_QUEUING",
        "begin_timestamp": 7,
        "remain_time": 8,
        "end_timestamp": 9,
        "rank": 10,
    },
    "user": {"id": "u-1", "name": "user"},
    "repository": {
        "id": "r-1",
        "branch": "main",
        "user_name": HIDDEN,
        "user_email": HIDDEN,
        "type": "GitHub",
        "connection_info": {"protocol": "https", "url": HIDDEN, "credential": {"token": HIDDEN}},
    },
    "token": HIDDEN,
}
# What clients are not told, although nothing in it is secret: it is told elsewhere in the State.
ELSEWHERE = ("auto_stop", "connection_info")


def without_hidden(value: Any) -> Any:
    """Return a document without what is marked, and without objects in which nothing is left."""
    if isinstance(value, dict):
        kept = {key: without_hidden(inner) for key, inner in value.items() if key not in ELSEWHERE}
        return {key: inner for key, inner in kept.items() if inner not in (HIDDEN, {})}
    return value


def test_clients_see_each_harmless_field_and_no_other() -> None:
    """Of an answer with every documented field, what is shown is all that is not marked as hidden, times as numbers."""
    expected = without_hidden(WHOLE) | {"creation_timestamp": 1594887749962, "latest_update_timestamp": 1594888070775}
    shown = shown_instance(Instance.model_validate(WHOLE))
    assert shown == expected
    assert HIDDEN not in json.dumps(shown)


@pytest.mark.parametrize("key", ["creation_timestamp", "latest_update_timestamp"])
@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("1594887749962", 1594887749962), ("9" * 16, 10**16 - 1), ("9" * 17, None), ("1" * 5000, None)),
        *(("", None), ("-1", None), ("1.5", None), ("soon", None), ("²", None), ("٣", None), (None, None)),
    ],
)
def test_a_time_of_the_instance_is_a_number_or_null(key: str, text: str | None, number: int | None) -> None:
    """The platform writes times as texts of digits; any other text is no time."""
    shown = shown_instance(Instance.model_validate({"id": "DE-1", "status": "RUNNING", key: text}))
    assert shown == {"id": "DE-1", "status": "RUNNING", key: number}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *((8, True), (0.5, True), ("x" * 64, True), ("x" * 65, False), (10**64, False), (True, False)),
        *((None, False), ({}, False), ([1], False), (float("nan"), False), (float("-inf"), False)),
    ],
    ids=str,
)
def test_a_parameter_of_the_flavor_is_shown_where_it_is_plain(value: Any, plain: bool) -> None:
    """A number or a short text: anything else in that free-form map could be anything."""
    document = {"id": "DE-1", "status": "RUNNING", "flavor_details": {"params": {"memory": value}}}
    shown = shown_instance(Instance.model_validate(document))
    assert shown["flavor_details"]["params"] == ({"memory": value} if plain else {})
