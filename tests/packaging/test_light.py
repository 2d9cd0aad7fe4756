"""The kernel's side is light: quick to import, without the server's dependencies, and it runs on Python 3.9."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_autostop import FakeAutostop, running_fake
from paths import ROOT
from processes import own_environment

NEWEST = (3, 9)
WITH_IPYTHON = {
    "jupyter_autostop/kernel/magics.py",
    "jupyter_autostop/kernel/cell.py",
    "jupyter_autostop/kernel/completion.py",
    "jupyter_autostop/kernel/line.py",
    "jupyter_autostop/kernel/spoken.py",
    "jupyter_autostop/kernel/panel.py",
}
"""What is loaded by an IPython, or once a panel is made."""

ALMOST_NOTHING = {
    *("jupyter_autostop", "__future__", "warnings"),
    *("importlib", "importlib._bootstrap", "importlib._bootstrap_external"),
}

ALONE = """
import sys
sys.path.insert(0, {root!r})
allowed = {{"jupyter_autostop"}}
class Refusing:
    # Whatever is neither ours nor Python's own.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        known = getattr(sys, "stdlib_module_names", None)
        if top not in allowed and (known is None or top not in known):
            if top in {{"IPython", "ipykernel", "jupyter_core"}} or known is not None:
                raise ImportError(name)
        return None
sys.meta_path.insert(0, Refusing())
"""
EVERYTHING = """
import json, threading
import jupyter_autostop as autostop
from jupyter_autostop import *
state = status()
told = [state["deadline"] is not None, state.version, "<p>" in state._repr_html_()]
for call in (lambda: extend("2h"), lambda: until("2099-01-01T00:00Z"), off, lambda: on("4h"), lambda: describe("x")):
    call()
told.append([journal(), doctor()[0]["name"], stop(yes=True)["emulated"]])
try:
    stop()
except ClientError as error:
    told.append(error.code)
with hold(max="1h", reason="here") as held:
    told.append(held.until is not None)
    told.append([one["reason"] for one in holds()])
    told.append(end()["holds"])
told.append(held.state is not None)
called = threading.Event()
handle = on_stop_soon(called.set, before="23h")
told.append(called.wait(30))
handle.cancel()
from jupyter_autostop.cli.main import main
told.append(main(["status"]))
told.append(main(["hold", "--", sys.executable, "-c", "import sys; sys.exit(3)"]))
told.append(autostop.panel()._repr_mimebundle_()["application/vnd.jupyter-autostop.panel+json"]["widget"])
loaded = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "jupyter_autostop"]
print("\\n" + json.dumps([told, loaded]))
"""


def interpreters(path: str = os.environ.get("PATH", "")) -> list[tuple[str, str]]:
    """Return this Python, which is always there, and the older ones that the PATH or a pyenv on it has.

    A shim is no Python: it runs one, or none, by what the home folder and the current one say.
    """
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    shims = [folder for folder in folders if folder.name == "shims"]
    homes = [Path("~/.pyenv").expanduser(), *(folder.parent for folder in shims)]
    found = [("this one", sys.executable)]
    for minor in range(NEWEST[1], sys.version_info.minor):
        installed = [
            *(python for home in homes for python in sorted(home.glob(f"versions/3.{minor}.*/bin/python"))),
            *(folder / f"python3.{minor}" for folder in folders if folder not in shims),
        ]
        python = next((str(python) for python in installed if os.access(python, os.X_OK)), None)
        if python:
            found.append((f"3.{minor}", python))
    return found


def run_alone(python: str, folder: Path) -> tuple[list[object], list[str]]:
    """Run everything a kernel can do in an interpreter without any packages, against a fake of its server."""
    fake = FakeAutostop()
    code = ALONE.format(root=str(ROOT)) + EVERYTHING
    with running_fake(folder / "runtime", fake) as environment:
        result = subprocess.run(
            [python, "-I", "-S", "-W", "ignore::UserWarning", "-c", code],
            env={**own_environment(folder), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    told, loaded = json.loads(result.stdout.splitlines()[-1])
    return told, loaded


def kernel_side(folder: Path) -> set[Path]:
    """Return the files of everything a kernel or a terminal command may load."""
    _, loaded = run_alone(sys.executable, folder)
    return {*map(Path, loaded), *(ROOT / name for name in WITH_IPYTHON)}


def needed(files: set[Path]) -> tuple[int, ...]:
    """Return which Python files need, by their syntax and by what they use of the standard library."""
    vermin = Path(sys.executable).parent / "vermin"
    command = [vermin, "--no-tips", "--no-parse-comments", "--versions", *sorted(files)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    [version] = re.findall(r"Minimum required versions: (?:!2, |2\.\d+, )?(3[.0-9]*)$", told, re.MULTILINE)
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("python", [path for _, path in interpreters()], ids=[name for name, _ in interpreters()])
def test_it_needs_no_packages(python: str, tmp_path: Path) -> None:
    """Every function, a hold and the command work where there is nothing but Python, from 3.9 on."""
    told, _ = run_alone(python, tmp_path)
    answers = [[[], "clock", False], "not_asked", True, ["here"], []]
    assert told == [True, "a.b", True, *answers, True, True, 0, 3, False]


def test_a_shim_is_no_python(tmp_path: Path) -> None:
    """What the tests above run is found beside a pyenv's shims, whoever's home that is, and on the PATH."""
    for name in ("shims/python3.9", "versions/3.9.18/bin/python", "bin/python3.9"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    path = f"{tmp_path / 'shims'}:{tmp_path / 'bin'}"
    assert str(tmp_path / "shims" / "python3.9") not in dict(interpreters(path)).values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path / "nobody"))
        assert dict(interpreters(path))["3.9"] == str(tmp_path / "versions" / "3.9.18" / "bin" / "python")
        assert dict(interpreters(str(tmp_path / "bin")))["3.9"] == str(tmp_path / "bin" / "python3.9")
        assert [name for name, _ in interpreters(str(tmp_path / "shims" / "none"))] == ["this one"]


def test_it_is_written_for_python_3_9(tmp_path: Path) -> None:
    """No syntax and nothing of the standard library that is newer, whatever Python runs this test."""
    files = kernel_side(tmp_path)
    assert len(files) > 15
    for path in files:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=NEWEST)
    assert needed(files) <= NEWEST


def test_the_check_above_sees_what_is_newer(tmp_path: Path) -> None:
    """Newer syntax and a newer function are both noticed."""
    for text in ("match 1:\n    case 1:\n        pass\n", "import itertools\nitertools.pairwise([])\n"):
        path = tmp_path / "newer.py"
        path.write_text(text, encoding="utf-8")
        assert needed({path}) == (3, 10)


def test_importing_it_loads_next_to_nothing(tmp_path: Path) -> None:
    """`import jupyter_autostop` loads no module of its own and none that takes long."""
    code = "import sys; before = set(sys.modules); import jupyter_autostop; print(*(set(sys.modules) - before))"
    loaded = subprocess.check_output(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    )
    assert set(loaded.decode().split()) <= ALMOST_NOTHING


def test_an_old_python_is_told_what_it_cannot_do() -> None:
    """The server's side says which Python it needs, to the server's log and in the terminal."""
    code = (
        "import sys; sys.version_info = (3, 9, 18); import jupyter_autostop as a\n"
        "try:\n    a._jupyter_server_extension_points()\nexcept ImportError as error:\n    print(error)\n"
        "from jupyter_autostop.cli.main import main\nmain(['serve'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs Python 3.10 or newer" in result.stdout
    assert result.returncode == 2
    assert "serve needs Python 3.10 or newer" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_public_names() -> None:
    """All that the documentation names, each in `dir()`, which leaves out what is the server's, and typed."""
    code = "import jupyter_autostop as a; print(*(n for n in dir(a) if getattr(a, n) is not None)); a.AutostopApp"
    names = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert names >= {"panel", "status", "extend", "until", "off", "on", "describe", "hold", "on_stop_soon"}
    assert names >= {"holds", "end", "stop", "journal", "doctor"}
    assert names >= {"AutostopPanel", "AutostopError", "State", "__version__"}
    assert not names & {"AutostopApp", "AutostopService"}
    assert (ROOT / "jupyter_autostop" / "py.typed").exists()
