"""A served emulator and a client for it, on one loop that runs only while a test waits: nothing happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar, final

import httpx

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import Emulator
from jupyter_autostop.platforms.modelarts.signing import authorization, sdk_date, sign

START = 1_700_000_000.0
HOUR = 3600
INSTANCES = f"/v1/{defaults.PROJECT_ID}/demanager/instances"
INSTANCE = f"{INSTANCES}/{defaults.INSTANCE_ID}"
LOGIN = "/v3/auth/tokens"
BY_TOKEN = {"X-Auth-Token": defaults.TOKEN}
BY_PROJECT = {"project": {"name": defaults.REGION}}

T = TypeVar("T")


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for due, sleeper in self._sleepers:
            if due <= self._now and not sleeper.done():
                sleeper.set_result(None)

    @property
    def sleepers(self) -> int:
        return sum(not sleeper.done() for _, sleeper in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append((self._now + seconds, sleeper))
            await sleeper


def signed_headers(
    now: float,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    host: str,
    secret_key: str = defaults.SECRET_KEY,
    access_key: str = defaults.ACCESS_KEY,
    query: list[tuple[str, str]] | None = None,
    **more: str,
) -> dict[str, str]:
    """Sign as the cloud wants it; `more` are further headers to sign, with `_` for `-`."""
    headers = {"Host": host, "X-Sdk-Date": sdk_date(now), "X-Project-Id": defaults.PROJECT_ID}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    names, signature = sign(secret_key, method, path, query or [], headers, body)
    return {**headers, "Authorization": authorization(access_key, names, signature)}


def login_body(
    *,
    user: str = defaults.IAM_USER,
    password: str = defaults.IAM_PASSWORD,
    domain: str = defaults.IAM_DOMAIN,
    scope: Any = BY_PROJECT,
) -> dict[str, Any]:
    """Return the documented body of a login with a password."""
    who = {"name": user, "password": password, "domain": {"name": domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}}


@final
class Cloud:
    """The emulator as a client meets it, over real HTTP."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.emulator = Emulator(self.clock, **options)
        self.loop = asyncio.new_event_loop()

    def __enter__(self) -> Cloud:
        self.run(self._open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.run(self.client.aclose())
        self.run(self.server.stop())
        self.loop.close()

    async def _open(self) -> None:
        self.server = EmulatorServer(self.emulator)
        await self.server.start()
        # Whoever waits for more than this has found a fault.
        self.client = httpx.AsyncClient(base_url=self.server.url, timeout=60, trust_env=False)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(story)

    def begin(self, *args: Any, **kwargs: Any) -> asyncio.Task[httpx.Response]:
        """Send a request without waiting for its answer."""
        kwargs.setdefault("headers", BY_TOKEN)
        return self.loop.create_task(self.client.request(*args, **kwargs))

    def until(self, ready: Callable[[], bool]) -> None:
        """Let the loop run until something is so."""

        async def wait() -> None:
            while not ready():  # noqa: ASYNC110 - of what happens inside there is no event
                await asyncio.sleep(0)

        self.run(asyncio.wait_for(wait(), 60))

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return self.run(self.client.request(method, path, **{"headers": BY_TOKEN, **kwargs}))

    def get(self) -> dict[str, Any]:
        answer = self.request("GET", INSTANCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def auto_stop(self) -> dict[str, Any]:
        return self.get()["spec"]["auto_stop"]

    def put(self, body: Any) -> httpx.Response:
        return self.request("PUT", INSTANCE, json=body)

    def set(self, *, enable: bool, duration: int = HOUR, prompt: bool = True) -> httpx.Response:
        """Send the full triple."""
        return self.put({"spec": {"auto_stop": {"enable": enable, "duration": duration, "prompt": prompt}}})

    def act(self, action: str) -> httpx.Response:
        return self.request("POST", f"{INSTANCE}/action", json={"action": action})

    def login(self, **changes: Any) -> httpx.Response:
        """Log in with the example password, or with something wrong."""
        return self.request("POST", LOGIN, json=login_body(**changes), headers={})

    def token(self) -> dict[str, str]:
        """Return the header that a fresh login gives."""
        answer = self.login()
        assert answer.status_code == 201, answer.text
        return {"X-Auth-Token": answer.headers["X-Subject-Token"]}

    def signed(self, method: str = "GET", body: bytes = b"", **options: Any) -> httpx.Response:
        """Send a signed request to the instance; `options` as for `signed_headers`, `headers` go along unsigned."""
        more = options.pop("headers", {})
        host = self.server.url.removeprefix("http://")
        headers = signed_headers(self.clock.time(), method, INSTANCE, body, host=host, **options)
        return self.request(method, INSTANCE, headers={**headers, **more}, content=body)

    def control(self, method: str, route: str = "", body: Any = None) -> httpx.Response:
        return self.run(self.client.request(method, f"/_emulator{route}", json=body))

    def fault(self, **fault: Any) -> None:
        answer = self.control("POST", "/faults", fault)
        assert answer.status_code == 200, answer.text

    def seen(self) -> list[dict[str, Any]]:
        return self.control("GET", "/requests").json()["requests"]

    def now(self) -> int:
        return int(self.clock.time() * 1000)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Return what a refusal is told apart by."""
    return answer.status_code, answer.json()["error_code"]
