"""Whose 18:00 it is: the page's in a notebook, the terminal's own in a terminal; and the answer says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Ask
from fake_autostop import HOUR, FakeAutostop, running_fake
from processes import emulated, own_environment, running_emulator, running_jupyter, running_kernel

import jupyter_autostop as autostop
from jupyter_autostop.client.client import connect
from jupyter_autostop.server.page_zones import EXPIRY_S, MOST_PAGES, PageZones
from jupyter_autostop.times.duration import DurationError

NIGHT = 1_796_085_720_000
"""2026-12-01 00:42 UTC."""
GAP_AT_TWO = "XST0XDT-1,M12.1.2/2,M3.5.0/3"
"""A zone whose clocks go forward at two in that night."""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeAutostop]:
    fake = FakeAutostop()
    fake.more = {
        "server_time": NIGHT,
        "deadline": {"stop_timestamp": NIGHT + HOUR // 6, "kept_by": "platform"},
        "confirmed_at": NIGHT,
    }
    with running_fake(tmp_path / "runtime", fake) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield fake
    time.tzset()


def run(folder: Path, zone: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **own_environment(folder),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JPY_PARENT_PID": str(os.getpid()),
        "TZ": zone,
    }
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def asked(fake: FakeAutostop) -> list[Any]:
    return [body["until"] for method, route, body in fake.wishes if (method, route) == ("POST", "extend")]


class TestTerminal:
    """The zone is its own, by `TZ` or the machine's setting."""

    def test_a_time_that_is_skipped_is_never_before_what_was_asked_for(
        self, fake: FakeAutostop, tmp_path: Path
    ) -> None:
        """It is the first moment after, and that is said; the answer names the zone."""
        result = run(tmp_path, GAP_AT_TWO, "until", "02:30")
        assert asked(fake) == [NIGHT + 78 * 60_000]
        assert result.stderr == (
            "That time is skipped, as the clocks go forward; the first moment after it is 03:00 XDT.\n"
        )
        assert result.stdout.startswith("Stops at 00:52 XST (in 10 min)")

    def test_a_tz_that_is_no_zone_is_said(self, fake: FakeAutostop, tmp_path: Path) -> None:
        """The system takes UTC for it and calls that by the wrong name."""
        result = run(tmp_path, "Asia/Beijing", "status")
        assert result.stdout.startswith("Stops at 00:52 UTC (in 10 min)")
        assert result.stderr.startswith("TZ=Asia/Beijing is no time zone")
        assert run(tmp_path, "Asia/Shanghai", "status").stderr == ""

    @pytest.mark.parametrize(
        ("words", "at"),
        [
            (["6:30", "pm"], "2026-12-01T10:30"),
            (["tomorrow", "9:00"], "2026-12-02T01:00"),
            (["18:00", "UTC"], "2026-12-01T18:00"),
            (["18\uff1a00"], "2026-12-01T10:00"),
            (["2026-12-01T18:00+09:00"], "2026-12-01T09:00"),
        ],
    )
    def test_a_time_as_people_write_it(self, fake: FakeAutostop, tmp_path: Path, words: list[str], at: str) -> None:
        """Also in several words of a shell."""
        assert run(tmp_path, "Asia/Shanghai", "until", *words).returncode == 0
        assert asked(fake) == [datetime.fromisoformat(f"{at}+00:00").timestamp() * 1000]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("18:00 Asia/Beijing", "“Asia/Beijing” is no time zone"),
            ("18:00 EST", "“EST” does not name one"),
            ("18", "write 18:00"),
            ("banana", "is not a time; write 18:00, 6pm"),
        ],
    )
    def test_what_is_no_time_is_misuse(self, fake: FakeAutostop, tmp_path: Path, text: str, why: str) -> None:
        """With the way out, and before anything is asked."""
        result = run(tmp_path, "Asia/Shanghai", "until", text)
        assert result.returncode == 2
        assert why in result.stderr
        assert fake.wishes == []


class TestFunctions:
    """What a kernel reads and tells, by what its server knows of the page."""

    def test_a_time_is_the_pages(self, fake: FakeAutostop) -> None:
        """Read in its zone, told in its zone, and said to be."""
        fake.more["zone"] = "Asia/Shanghai"
        state: Any = autostop.until("18:00")
        assert asked(fake) == [datetime(2026, 12, 1, 10, tzinfo=timezone.utc).timestamp() * 1000]
        assert "Stops at 08:52 CST" in repr(state._picture())
        assert repr(state._picture()).endswith("\nRead in the time zone of the page, Asia/Shanghai.")
        assert "Read in the time zone of the page" in state._repr_html_()
        assert "As of 2026-12-01 08:42:00 UTC+08:00" in state._repr_html_()
        with autostop.hold(max="1h") as held:
            assert "until 09:42 CST at the latest" in held.begun()

    def test_without_a_page_it_is_the_machines(self, fake: FakeAutostop) -> None:
        """And that is said, as the reader cannot know."""
        fake.more["zone"] = None
        state: Any = autostop.until("18:00")
        assert asked(fake) == [datetime(2026, 12, 1, 18, tzinfo=timezone.utc).timestamp() * 1000]
        assert repr(state._picture()).endswith("No open page tells its time zone; read in this machine's, UTC.")

    def test_a_time_that_names_its_zone_needs_no_page(self, fake: FakeAutostop) -> None:
        """Nothing is said of whose it is."""
        fake.more["zone"] = "Asia/Shanghai"
        state: Any = autostop.until("18:00+09:00")
        assert asked(fake) == [datetime(2026, 12, 1, 9, tzinfo=timezone.utc).timestamp() * 1000]
        assert "Read in" not in repr(state._picture())

    def test_a_length_may_be_given_in_seconds(self, fake: FakeAutostop) -> None:
        """By name, as a text or as a timedelta; a bare number is refused with what to write instead."""
        for length in ({"seconds": 3600}, {"by": "3600s"}, {"by": timedelta(hours=1)}, {"by": "1 hour"}):
            autostop.extend(**length)  # type: ignore[arg-type]
        assert [body["by"] for _, route, body in fake.wishes if route == "extend"] == [3600] * 4
        autostop.on(seconds=7200)
        assert fake.wishes[-1][2]["auto_stop"]["duration"] == 7200
        with pytest.raises(DurationError, match="3600 has no unit; write '2h', '90m' or '3600s', or give a timedelta"):
            autostop.extend(3600)  # type: ignore[arg-type]
        for wrong in (0, -1, 10**12):
            with pytest.raises(DurationError, match="is no length to wait for"):
                autostop.extend(seconds=wrong)
        for kind in (1.5, True, "3600"):
            with pytest.raises(DurationError, match="no whole number"):
                autostop.extend(seconds=kind)  # type: ignore[arg-type]
        for both in ({}, {"by": "1h", "seconds": 60}):
            with pytest.raises(ValueError, match="Give one length"):
                autostop.extend(**both)  # type: ignore[arg-type]


def test_a_kernel_says_which_it_is_and_nothing_else_does(fake: FakeAutostop) -> None:
    """The server can tell its page from the others'."""
    environ = dict(os.environ)
    connect(environ).instance()
    assert fake.kernels == {None}
    connect(environ, means="kernel", kernel_id="k-1").instance()
    assert fake.kernels == {None, "k-1"}


# What the server keeps


def test_the_latest_page_that_shows_the_notebook_counts() -> None:
    """Else the latest page; one that has gone, or tells nothing for hours, does not count."""
    now = 0.0
    zones = PageZones(lambda: now)
    assert zones.of("k") is None
    zones.tell("a", "Asia/Shanghai", ["k"])
    zones.tell("b", "Europe/Berlin", [])
    assert (zones.of("k"), zones.of("other")) == ("Asia/Shanghai", "Europe/Berlin")
    zones.tell("b", "Europe/Berlin", ["k"])
    assert zones.of("k") == "Europe/Berlin"
    now = 60.0
    zones.tell("a", "Asia/Tokyo", ["k"])
    assert zones.of("k") == "Asia/Tokyo"
    zones.tell("a", None)
    assert zones.of("k") == "Europe/Berlin"
    now = EXPIRY_S
    assert zones.of("k") is None


def test_pages_that_are_made_up_fill_no_memory() -> None:
    """The latest ones are kept."""
    zones = PageZones()
    for number in range(10 * MOST_PAGES):
        zones.tell(f"page-{number}", f"Etc/GMT+{number % 12}", [f"k-{number}"])
    assert len(vars(zones)["_pages"]) == MOST_PAGES
    assert zones.of(f"k-{10 * MOST_PAGES - 1}") == f"Etc/GMT+{(10 * MOST_PAGES - 1) % 12}"


async def test_a_page_tells_and_a_kernel_is_told(ask: Ask) -> None:
    """It changes no setting and enters no journal; who is no kernel sees the State as it is."""
    kernel = {"X-Autostop-Kernel": "k-1"}
    assert (await ask("GET", "instance", headers=kernel)).json["zone"] is None
    reply = await ask("POST", "zone", {"page": "p", "zone": "Asia/Shanghai", "kernels": ["k-1"]})
    assert (reply.status, reply.json) == (200, {"expires_in": EXPIRY_S})
    assert (await ask("GET", "instance", headers=kernel)).json["zone"] == "Asia/Shanghai"
    for stranger in ({}, {"X-Autostop-Kernel": ""}, {"X-Autostop-Kernel": "../k-1"}):
        assert "zone" not in (await ask("GET", "instance", headers=stranger)).json
    assert (await ask("GET", "journal")).json["entries"] == []
    for wrong in (
        {"zone": "UTC"},
        {"page": "p", "zone": None},
        {"page": "p", "zone": "a b"},
        {"page": "p", "zone": "UTC", "kernels": ["k"] * 65},
    ):
        reply = await ask("POST", "zone", wrong)
        assert (reply.status, reply.json["code"]) == (400, "invalid_body")
    await ask("POST", "zone", {"page": "p"})
    assert (await ask("GET", "instance", headers=kernel)).json["zone"] is None


def test_a_cell_means_the_time_of_the_page_that_shows_it(tmp_path: Path) -> None:
    """In a real kernel of a real server, with the server's clock in another zone."""
    with running_emulator("--remaining", "1h") as endpoint:
        settings = {**emulated(endpoint), "TZ": "UTC"}
        with running_jupyter(tmp_path, settings=settings) as server:
            headers = {"Authorization": f"token {server.token}"}
            with (
                httpx.Client(base_url=server.url, headers=headers, trust_env=False) as page,
                running_kernel(server, page) as cell,
            ):
                [kernel] = page.get("api/kernels").json()
                told = {"page": "p", "zone": "Asia/Kathmandu", "kernels": [kernel["id"]]}
                page.post("jupyter-autostop/zone", json=told).raise_for_status()
                wanted = datetime.now(timezone(timedelta(hours=5, minutes=45))) + timedelta(hours=3)
                said = cell(f"import jupyter_autostop as autostop\nprint(autostop.until('{wanted:%H:%M}')._picture())")
                assert f"{wanted:%H:%M} UTC+5:45" in said
                assert "Read in the time zone of the page, Asia/Kathmandu." in said
