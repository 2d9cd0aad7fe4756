"""The wire models: every documented field, the reference page's samples, what is kept, what is concealed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from paths import DATA
from pydantic import ValidationError

from jupyter_autostop.platforms.modelarts import models
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest, Wire

CANARY = "canary-5f3a"
RUNNING = {"id": "DE-1", "status": "RUNNING"}

# The answer's tables of the reference page, field by field with the documented type.
TABLES: dict[type[Wire], str] = {
    models.Instance: "id:String name:String description:String status:String creation_timestamp:String "
    "latest_update_timestamp:String profile:Object flavor:String flavor_details:Object pool:Object spec:Object "
    "workspace:Object ai_project:Object error_code:String queuing_info:Object user:Object repository:Object",
    models.Profile: "id:String name:String description:String de_type:String provision:Object labels:Map "
    "flavor_type:String",
    models.Provision: "type:String spec:Object",
    models.ProvisionSpec: "engine:String params:Object",
    models.FlavorDetails: "name:String status:String queuing_num:Integer queue_left_time:Integer storage_list:Array "
    "is_permitted:Boolean type:String params:Map promo_type:String instance_num:Integer duration:Integer "
    "store_time:Integer billing_flavor:String billing_params:Integer",
    models.Pool: "id:String name:String type:String owner:Object",
    models.AiProject: "id:String",
    models.InstanceSpec: "log_path:String custom_script_path:String storage:Object credential:Secret repository:Object "
    "resource_reserved_timestamp:Integer auto_stop:Object failed_reasons:Object annotations:Map extend_params:Map",
    models.Storage: "type:String location:Object",
    models.Location: "path:String",
    models.AutoStop: "enable:Boolean duration:Integer prompt:Boolean stop_timestamp:Integer remain_time:Integer",
    models.FailedReasons: "code:String message:String detail:Map",
    models.Workspace: "id:String",
    models.QueuingInfo: "id:String name:String de_type:String flavor:String flavor_details:Object status:String "
    "begin_timestamp:Integer remain_time:Integer end_timestamp:Integer rank:Integer",
    models.User: "id:String name:String",
    models.Repository: "id:String branch:String user_name:String user_email:String type:String connection_info:Object",
    models.ConnectionInfo: "protocol:String url:String credential:Secret",
}
EXAMPLES: dict[str, Any] = {
    "String": "a text",
    "Integer": 1594891408723,
    "Boolean": True,
    "Object": {"undocumented": 1},
    "Map": {"key": "value"},
    "Array": ["obs", "something new"],
    "Secret": {"access_key": CANARY},
}
FIELDS = [(model, *pair.split(":")) for model, row in TABLES.items() for pair in row.split()]


def sample(name: str) -> Any:
    return json.loads((DATA / f"sample_{name}.json").read_text(encoding="utf-8"))


def told(instance: Instance) -> dict[str, Any]:
    """Return what the platform said, nothing added."""
    return instance.model_dump(exclude_unset=True)


def test_the_sample_answer_comes_back_unchanged() -> None:
    """The reference page's instance parses, with nothing lost, added or rewritten."""
    instance = Instance.model_validate(sample("instance"))
    assert told(instance) == sample("instance")
    assert json.loads(instance.model_dump_json(exclude_unset=True)) == sample("instance")
    assert instance.auto_stop is not None
    assert instance.auto_stop.stop_timestamp == 1594891408723


def test_the_sample_request_comes_back_unchanged() -> None:
    """The reference page's request is what its content would be sent as."""
    assert UpdateRequest.model_validate(sample("request")).body() == sample("request")


def test_the_sample_error_is_no_instance() -> None:
    """The reference page's error body never passes for an instance."""
    with pytest.raises(ValidationError):
        Instance.model_validate(sample("error"))


@pytest.mark.parametrize(("model", "name", "kind"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_documented_field(model: type[Wire], name: str, kind: str) -> None:
    """Each row of the tables is a field of its model and keeps a value of its documented type."""
    assert name in model.model_fields
    document = {**(RUNNING if model is Instance else {}), name: EXAMPLES[kind]}
    parsed = model.model_validate(document)
    expected = models.MASK if kind == "Secret" else EXAMPLES[kind]
    assert parsed.model_dump(exclude_unset=True)[name] == expected
    assert name in parsed.model_fields_set


@pytest.mark.parametrize("model", Wire.__subclasses__(), ids=lambda model: model.__name__)
def test_what_the_platform_leaves_out_is_null(model: type[Wire]) -> None:
    """A missing field, each may be, is told from every value: no empty name, no switch that is off, no time 0."""
    parsed = model.model_validate(RUNNING if model is Instance else {})
    left_out = set(model.model_fields) - parsed.model_fields_set
    assert len(left_out) >= 1
    assert {name: getattr(parsed, name) for name in left_out} == dict.fromkeys(left_out)


def test_a_request_sends_what_is_set_and_nothing_else() -> None:
    """The request's tables: description, spec, auto_stop with its three keys; false is sent, unset is not."""
    triple = {"enable": False, "duration": 3600, "prompt": False}
    settings = ({}, triple, *({name: value} for name, value in triple.items()))
    for body in ({}, {"description": ""}, {"spec": {}}, *({"spec": {"auto_stop": setting}} for setting in settings)):
        assert UpdateRequest.model_validate(body).body() == body


UNKNOWN_VALUES: list[dict[str, Any]] = [
    {"status": "HIBERNATING"},
    {"flavor_details": {"status": "rented", "type": "QPU", "promo_type": "Half", "storage_list": ["tape"]}},
    {"profile": {"de_type": "Shell", "flavor_type": "QPU", "provision": {"type": "VM", "spec": {"engine": "ECS"}}}},
    {"pool": {"type": "SYSTEM"}, "queuing_info": {"status": "WAITING"}},
    {"repository": {"type": "GitLab", "connection_info": {"protocol": "git"}}},
    {"spec": {"storage": {"type": "nfs"}}},
]
UNKNOWN_FIELDS: list[dict[str, Any]] = [
    {"new": {"deep": [1, {"er": None}]}},
    {"spec": {"new": 1, "auto_stop": {"enable": True, "idle": {"minutes": 5}}, "storage": {"location": {"new": []}}}},
    {"profile": {"provision": {"spec": {"new": "x"}}}, "pool": {"owner": {"new": True}}},
]


@pytest.mark.parametrize("part", UNKNOWN_VALUES + UNKNOWN_FIELDS, ids=str)
def test_what_is_unknown_is_kept(part: dict[str, Any]) -> None:
    """A value or a field that the documents do not name is kept as it came."""
    assert told(Instance.model_validate({**RUNNING, **part})) == {**RUNNING, **part}


@pytest.mark.parametrize("wrong", [5, 1.5, True, "text", [], [[1]], {"x": 1}, None], ids=repr)
@pytest.mark.parametrize("name", sorted(set(Instance.model_fields) - {"id", "status", "spec", "token"}))
def test_a_secondary_field_of_the_wrong_type_is_null(name: str, wrong: Any) -> None:
    """Whatever stands in a secondary field, the stop time is still told, and the wrong value is not."""
    document = {**RUNNING, "spec": {"auto_stop": {"enable": True, "stop_timestamp": 1594891408723}}, name: wrong}
    instance = Instance.model_validate(document)
    assert instance.auto_stop is not None
    assert instance.auto_stop.stop_timestamp == 1594891408723
    kept = told(instance)[name]
    assert kept is None or (kept == wrong and type(kept) is type(wrong))


@pytest.mark.parametrize("wrong", [5, ["x"], {"x": 1}], ids=repr)
def test_a_token_of_the_wrong_type_hides_nothing(wrong: Any) -> None:
    """A token is a secondary field: a wrong type there does not hide the stop time either."""
    assert Instance.model_validate({**RUNNING, "token": wrong}).id == "DE-1"


def test_secondary_fields_deep_inside_are_null_each_for_itself() -> None:
    """One wrong value inside an object does not take its neighbours with it."""
    wrong = {"flavor_details": {"name": "f", "duration": "soon"}, "spec": {"storage": {"location": 5, "type": "evs"}}}
    instance = Instance.model_validate({**RUNNING, **wrong})
    assert instance.flavor_details is not None
    assert (instance.flavor_details.name, instance.flavor_details.duration) == ("f", None)
    assert instance.spec is not None
    assert instance.spec.storage is not None
    assert (instance.spec.storage.type, instance.spec.storage.location) == ("evs", None)


VITAL: list[dict[str, Any]] = [
    *({**RUNNING, "id": wrong} for wrong in (None, 5, [], {})),
    *({**RUNNING, "status": wrong} for wrong in (None, 5, True, [], {})),
    {"id": "DE-1"},
    {"status": "RUNNING"},
    *({**RUNNING, "spec": {"auto_stop": wrong}} for wrong in ("on", 5, [], True)),
    *({**RUNNING, "spec": {"auto_stop": {"enable": wrong}}} for wrong in ("perhaps", 5, [], {})),
    *({**RUNNING, "spec": {"auto_stop": {"duration": wrong}}} for wrong in ("1 h", 1.5, [], {}, float("nan"))),
    *({**RUNNING, "spec": {"auto_stop": {"stop_timestamp": wrong}}} for wrong in ("soon", 1.5, [], float("inf"))),
    *({**RUNNING, "spec": {"auto_stop": {"remain_time": wrong}}} for wrong in ("soon", 1.5, {})),
]


@pytest.mark.parametrize("document", VITAL, ids=str)
def test_a_vital_field_of_the_wrong_type_fails(document: dict[str, Any]) -> None:
    """Without a trustworthy id, status and auto_stop there is no answer."""
    with pytest.raises(ValidationError):
        Instance.model_validate(document)


@pytest.mark.parametrize(
    "wrong",
    [{"enable": "off"}, {"enable": "no"}, {"enable": 0}, {"prompt": "false"}, {"duration": True}],
    ids=str,
)
def test_no_other_type_is_read_as_a_switch(wrong: dict[str, Any]) -> None:
    """A text or a number is no boolean: "off" does not become auto-stop switched off, and true is no duration."""
    with pytest.raises(ValidationError):
        Instance.model_validate({**RUNNING, "spec": {"auto_stop": wrong}})
