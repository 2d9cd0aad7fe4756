"""Which instance is this: the setting, the server's address, the host name, in this order; else nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_autostop.platforms.modelarts.demanager import check_id
from jupyter_autostop.platforms.modelarts.discovery import Found, find_instance_id, find_variable

UUID = "6fa459ea-ee8a-3ca4-894e-db77e160355e"


@pytest.mark.parametrize(
    ("setting", "base_url", "host", "found"),
    [
        ("DE-1", f"/{UUID}/", f"notebook-{UUID}", "DE-1"),
        ("", f"/{UUID}/", "notebook-00000000-0000-0000-0000-000000000000", UUID),
        ("", f"/modelarts/hubv100/notebook/user/DE-{UUID}/", "h", f"DE-{UUID}"),
        ("", "/", f"notebook-{UUID}", UUID),
        ("", "/", f"notebook-{UUID}-0", UUID),
        ("", "/", f"notebook-{UUID}.cluster.local", UUID),
        ("", "/user/somebody/", "laptop", ""),
        ("", f"/x{UUID}/", f"my-notebook-{UUID}", ""),
        ("", f"/{UUID}x/", f"notebook-{UUID}9", ""),
        ("", "/a@b/", "", ""),
    ],
)
def test_the_instance_id(setting: str, base_url: str, host: str, found: str) -> None:
    """Only a whole path segment or the documented host name counts."""
    result = find_instance_id(setting, base_url, host)
    assert result.value == found
    assert bool(result.source) == bool(found)


@given(st.text(max_size=80), st.text(max_size=80))
def test_what_is_found_out_can_stand_in_a_url(base_url: str, host: str) -> None:
    """Whatever the address and the host name are, a guess is an id and nothing more."""
    found = find_instance_id("", base_url, host).value
    assert found == "" or check_id(found, "instance_id") == found


def test_variables() -> None:
    """A setting wins, then the variables in their order; an empty one does not count."""
    environ = {"REGION_NAME": " ", "S3_REGION": "cn-north-4"}
    assert find_variable("r", "region", environ, "REGION_NAME", "S3_REGION") == Found("r", "the setting region")
    assert find_variable("", "region", environ, "REGION_NAME", "S3_REGION").value == "cn-north-4"
    assert find_variable("", "region", {}, "REGION_NAME") == Found()
