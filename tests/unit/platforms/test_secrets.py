"""What of an instance must never be seen: its secrets anywhere, everything undocumented outside the server."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DATA
from pydantic import ValidationError

from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.modelarts.public_fields import shown_instance

CANARY = "canary-5f3a"
RUNNING: dict[str, Any] = {"id": "DE-1", "status": "RUNNING"}
SAMPLE = json.loads((DATA / "sample_instance.json").read_text(encoding="utf-8"))
REPOSITORY = {
    "id": "r",
    "branch": "main",
    "type": "GitHub",
    "connection_info": {"protocol": "https", "url": "https://x", "credential": {"token": "none"}},
}
FULL: dict[str, Any] = {
    **SAMPLE,
    "spec": {
        **SAMPLE["spec"],
        "repository": REPOSITORY,
        "extend_params": {},
        "failed_reasons": {"code": "c", "message": "m", "detail": {}},
    },
    "profile": {**SAMPLE["profile"], "labels": {}},
    "pool": {"id": "p", "name": "n", "type": "USER_DEFINED", "owner": {"id": "o"}},
    "queuing_info": {"id": "q", "rank": 1, "flavor_details": {"name": "f", "params": {}}},
    "repository": REPOSITORY,
    "error_code": "e",
}
"""The sample with every documented object in it."""


def objects(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of all JSON objects in `value`."""
    if not isinstance(value, dict):
        return []
    return [path, *(found for key, inner in value.items() for found in objects(inner, (*path, key)))]


def placed(path: tuple[str, ...], key: str, value: Any, document: dict[str, Any] = FULL) -> dict[str, Any]:
    """Return a copy of the document with `value` under `key` of the object at `path`."""
    document = copy.deepcopy(document)
    target = document
    for step in path:
        target = target[step]
    target[key] = value
    return document


def views(instance: Instance) -> str:
    """Return every way in which an instance could be written down."""
    dumped = (instance.model_dump(), instance.model_dump(mode="json"), instance.model_dump_json())
    return f"{instance!r} {instance} {dumped} {instance.spec!r} {instance.repository!r} {[*instance]}"


SECRETS: list[Any] = [CANARY, {"ak": CANARY, "sk": CANARY}, [CANARY], [{"x": [CANARY]}]]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("path", objects(FULL), ids=".".join)
def test_a_secret_is_never_written_down(path: tuple[str, ...], secret: Any) -> None:
    """Whatever stands on a token's, password's or credential's name is concealed at any depth, in any shape."""
    for key in ("credential", "access_token", "X-Auth-Token", "Password", "client_secret"):
        assert CANARY not in views(Instance.model_validate(placed(path, key, secret)))
    nested = placed(path, "undocumented", [{"deep": {"token": secret}}])
    assert CANARY not in views(Instance.model_validate(nested))


def test_the_instances_own_token_is_never_written_down() -> None:
    """The token that opens the notebook is concealed too."""
    assert CANARY not in views(Instance.model_validate({**FULL, "token": CANARY}))


def test_a_secret_leaves_a_mask() -> None:
    """One sees that there is a secret, and neither which nor how long it is; where there is none there is no mask."""
    told = Instance.model_validate({**RUNNING, "token": CANARY, "spec": {"credential": None, "password": CANARY}})
    assert told.model_dump(mode="json", exclude_unset=True) == {
        **RUNNING,
        "token": "**********",
        "spec": {"credential": None, "password": "**********"},
    }
    assert repr(told).count("**********") == 2


@pytest.mark.parametrize(
    "path",
    [
        ("profile", "provision", "annotations"),
        ("spec", "annotations"),
        ("spec", "extend_params"),
        ("spec", "failed_reasons", "detail"),
        ("repository", "connection_info", "url"),
    ],
    ids=".".join,
)
def test_what_may_hold_a_signed_url_is_not_printed(path: tuple[str, ...]) -> None:
    """Whatever name it stands under in there, it is in no log line or traceback that shows the instance."""
    content = CANARY if path[-1] == "url" else {"harmless": f"https://host/?signature={CANARY}"}
    instance = Instance.model_validate(placed(path[:-1], path[-1], content))
    assert CANARY in instance.model_dump_json()
    assert CANARY not in f"{instance!r} {instance} {instance.spec!r} {instance.profile!r} {instance.repository!r}"


@pytest.mark.parametrize("broken", ["id", "status"])
def test_a_validation_error_repeats_nothing(broken: str) -> None:
    """The error about an answer that is no instance names the field and never the values."""
    document = placed((), "token", CANARY) | {"name": CANARY, broken: {"x": CANARY}}
    document["spec"] = {"credential": CANARY, "auto_stop": {"enable": CANARY, "duration": [CANARY]}}
    with pytest.raises(ValidationError) as caught:
        Instance.model_validate(document)
    assert CANARY not in f"{caught.value} {caught.value!r}"
    assert broken in str(caught.value)


@pytest.mark.parametrize("path", objects(FULL), ids=".".join)
def test_nothing_undocumented_leaves_the_server(path: tuple[str, ...]) -> None:
    """A canary in every object and every free-form map of an instance is in nothing that clients see."""
    for key in ("undocumented", "url", "token", "CPU2"):
        shown = shown_instance(Instance.model_validate(placed(path, key, CANARY)))
        assert CANARY not in json.dumps(shown)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("spec",), "annotations"),
        (("spec",), "extend_params"),
        (("spec", "failed_reasons"), "detail"),
        (("profile",), "labels"),
        (("profile", "provision"), "annotations"),
        (("profile", "provision", "spec"), "params"),
        (("flavor_details",), "params"),
        (("spec",), "credential"),
        (("repository", "connection_info"), "credential"),
        (("spec", "repository", "connection_info"), "credential"),
        ((), "undocumented"),
    ],
    ids=str,
)
def test_no_free_form_map_leaves_the_server(path: tuple[str, ...], key: str) -> None:
    """Labels, annotations, extend_params, details and credentials hold anything, signed URLs too: none is shown."""
    for value in (CANARY, {"url": CANARY}, {"CPU": {"x": CANARY}, "memory": [CANARY]}, [CANARY]):
        shown = shown_instance(Instance.model_validate(placed(path, key, value)))
        assert CANARY not in json.dumps(shown)


def test_documented_harmless_fields_are_shown() -> None:
    """What people want to see is there: names, status, flavor, storage; times as whole ms."""
    shown = shown_instance(Instance.model_validate(FULL))
    assert shown["name"] == "notebook-c6fd"
    assert shown["creation_timestamp"] == 1594887749962
    assert shown["flavor_details"]["params"] == {"CPU": 8, "GPU": 1, "gpu_type": "v100NV32", "memory": "64GiB"}
    assert shown["spec"]["storage"]["location"]["path"] == "/home/ma-user/work"
    assert shown["spec"].keys() == {"storage", "failed_reasons"}
    assert shown["repository"] == {"id": "r", "branch": "main", "type": "GitHub"}


@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=str)
def test_what_is_shown_is_json_that_browsers_read(number: float) -> None:
    """A NaN in the flavor's parameters, which Python's JSON reads, does not reach the browser, which cannot."""
    shown = shown_instance(Instance.model_validate(placed(("flavor_details", "params"), "CPU", number)))
    json.dumps(shown, allow_nan=False)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
# In a container a canary stands in no documented place, whichever field the container replaces.
HIDDEN = st.sampled_from([{"x": CANARY}, [{"x": CANARY}], [[CANARY]], {"token": {"y": [CANARY]}}])
KEYS = ("id", "name", "status", "type", "params", "spec", "auto_stop", "token", "credential", "undocumented")
PATHS = st.tuples(st.sampled_from(objects(FULL)), st.sampled_from(KEYS))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(PATHS, JSON | HIDDEN), max_size=6))
def test_any_answer_parses_or_is_refused_and_leaks_nothing(
    changes: list[tuple[tuple[tuple[str, ...], str], Any]],
) -> None:
    """JSON shaped like an instance, wrong in any places, is an instance or a `ValidationError`; canaries stay in."""
    document = copy.deepcopy(FULL)
    for (path, key), value in changes:
        target: Any = document
        for step in path:
            target = target.get(step) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[key] = copy.deepcopy(value)
    try:
        seen = json.dumps(shown_instance(Instance.model_validate(document)), allow_nan=False)
    except ValidationError as error:
        seen = f"{error} {error!r}"
    assert CANARY not in seen
