"""What is shipped: the contents of wheel and sdist, and an install that needs no node."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from paths import ROOT
from processes import own_environment

pytestmark = pytest.mark.package
FRONT_END = "jupyter_autostop-{version}.data/data/share/jupyter/labextensions/jupyter-autostop/"
STRAY = ("node_modules", "__pycache__", ".artifacts", "tsbuildinfo", ".yarn/", ".hypothesis", ".venv", ".pyc", ".git/")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel as a release would, the front end included, from the files git knows."""
    source = tmp_path_factory.mktemp("source")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    # Leftovers of the kind that must not be shipped.
    (source / "tests" / ".artifacts").mkdir()
    (source / "tests" / ".artifacts" / "shot.png").write_bytes(b"png")
    (source / "labextension" / "node_modules").symlink_to(ROOT / "labextension" / "node_modules")
    out = tmp_path_factory.mktemp("dist")
    environment = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)],
        env=environment,
        check=True,
        capture_output=True,
        timeout=600,
    )
    return out


@pytest.fixture(scope="module")
def version(dist: Path) -> str:
    return next(dist.glob("*.whl")).name.split("-")[1]


def test_the_wheel(dist: Path, version: str) -> None:
    """The wheel holds the package, the server's switch and the built front end, and nothing else."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    front_end = FRONT_END.format(version=version)
    for needed in (
        "jupyter_autostop/__init__.py",
        "jupyter_autostop/py.typed",
        "jupyter_autostop/example.ipynb",
        "jupyter_autostop/server/openapi.yaml",
        "jupyter_autostop/server/event.yaml",
        "jupyter_autostop/server/look_event.yaml",
        f"{front_end}package.json",
        f"{front_end}install.json",
        f"{front_end}static/style.js",
        f"jupyter_autostop-{version}.data/data/etc/jupyter/jupyter_server_config.d/jupyter_autostop.json",
        f"jupyter_autostop-{version}.dist-info/licenses/LICENSE",
    ):
        assert needed in names, needed
    assert any(name.startswith(f"{front_end}static/remoteEntry.") for name in names)
    tops = {name.split("/")[0] for name in names}
    assert tops == {"jupyter_autostop", f"jupyter_autostop-{version}.data", f"jupyter_autostop-{version}.dist-info"}
    assert not [name for name in names if name.startswith("jupyter_autostop/labextension/")]
    assert not [name for name in names if any(stray in name for stray in STRAY)]


def test_the_sdist(dist: Path) -> None:
    """The sdist holds what a build needs, and no leftovers of node, tests or tools."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for needed in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "labextension/package.json",
        "labextension/yarn.lock",
        "labextension/src/index.ts",
        "jupyter_autostop/__init__.py",
    ):
        assert needed in names, needed
    assert not [name for name in names if any(stray in name for stray in STRAY)]
    assert not [name for name in names if name.startswith(("labextension/lib", "jupyter_autostop/labextension/"))]


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The wheel in an environment of its own, where no node can be found."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    # The dependencies come from the environment around; only our own package is installed anew.
    site = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    own = next((folder / "venv" / "lib").glob("python*")) / "site-packages"
    (own / "around.pth").write_text(f"{site}\n", encoding="utf-8")
    environment = {**own_environment(folder), "PATH": f"{python.parent}:/bin", "JUPYTER_PREFER_ENV_PATH": "1"}
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--ignore-installed",
            str(next(dist.glob("*.whl"))),
        ],
        check=True,
        env=environment,
        capture_output=True,
    )
    return python, environment


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["-m", "jupyter_server.extension.serverextension", "list"], "jupyter_autostop"),
        (["-m", "jupyterlab.labextensions", "list"], "jupyter-autostop"),
    ],
)
def test_jupyter_sees_it(installed: tuple[Path, dict[str, str]], command: list[str], words: str) -> None:
    """Both lists of extensions say OK after nothing but an install of the wheel."""
    python, environment = installed
    result = subprocess.run(
        [python, *command], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    lines = [line for line in (result.stdout + result.stderr).splitlines() if words in line]
    assert any("OK" in line for line in lines), result.stdout + result.stderr


def test_the_installed_one_is_the_wheel(installed: tuple[Path, dict[str, str]], version: str) -> None:
    """What was listed is the installed package, its command and version, not the checkout."""
    python, environment = installed
    where = subprocess.run(
        [python, "-c", "import jupyter_autostop as a; print(a.__file__, a.__version__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    ).stdout
    assert str(python.parent.parent) in where
    assert version in where
    result = subprocess.run(
        [python.parent / "jupyter-autostop", "--help"], env=environment, capture_output=True, text=True, check=True
    )
    assert "extend" in result.stdout
