"""What the README shows works as it stands: every block is run, character by character, or named here with a reason."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient
from paths import ROOT
from processes import JupyterServer, emulated, running_emulator, running_jupyter
from traitlets.config import Config

README = ROOT / "README.md"
PRESUPPOSED = """
from types import SimpleNamespace
saved, batches, model = [], range(3), SimpleNamespace(state_dict=dict)
torch = SimpleNamespace(save=lambda what, where: saved.append(where))
def train(): return "trained"
def train_step(model, batch): return 0.5
"""
"""What a reader of the README has of their own: something to train."""
NOT_RUN = {
    "$ make demo": "runs until Ctrl-C and installs first; test_demo.py and test_package.py try its parts",
    "$ export JUPYTER_AUTOSTOP_REGION=": "speaks to the real cloud, with keys of the reader's own",
    "FROM <the notebook image": "needs the reader's own image",
    "#!/bin/bash": "installs into the platform's own environment",
}
"""Blocks by their beginning, with the reason why they are not run; their syntax is looked at all the same."""
ENDLESS = "jupyter autostop watch"
"""What goes on until Ctrl-C."""
DOCKERFILE = re.compile(r"(#|FROM|USER|COPY|RUN) ?\S.*")


class Block(NamedTuple):
    """A fenced block: its language, its text and the line it begins on."""

    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    fenced = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in fenced]


BLOCKS = blocks(README.read_text(encoding="utf-8"))
IN_A_KERNEL = [block for block in BLOCKS if block.language == "python" and not block.text.startswith("c.")]


def reason(block: Block) -> str:
    return next((why for begin, why in NOT_RUN.items() if block.text.startswith(begin)), "")


def named(found: list[Block]) -> list[Any]:
    return [pytest.param(block, id=f"line {block.line}") for block in found]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("jupyter")
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(folder, settings=emulated(endpoint)) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def shown(server: JupyterServer) -> dict[str, Any]:
    """Run every Python block in one kernel, as a reader would who pastes them one after the other."""
    cells = [PRESUPPOSED, *(block.text for block in IN_A_KERNEL)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute(env=server.environment)
    return {cell["source"]: cell["outputs"] for cell in notebook["cells"]}


@pytest.mark.parametrize("block", named(IN_A_KERNEL))
def test_a_block_for_the_notebook(block: Block, shown: dict[str, Any]) -> None:
    """Every line of it does what stands beside it, and none is refused."""
    outputs = shown[block.text]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    magics = sum(line.startswith("%autostop") for line in block.text.splitlines())
    assert sum(output["output_type"] == "display_data" for output in outputs) >= magics


def test_the_lines_for_the_notebook_say_what_they_did(shown: dict[str, Any]) -> None:
    """In their order: what stands behind a `#` belongs to none of them."""
    [outputs] = (outputs for text, outputs in shown.items() if "%autostop until 18:00" in text)
    panel, status, extended, until, holds, ended, off, described, journal = (
        output["data"]["text/plain"] for output in outputs
    )
    assert "this picture does not move" in panel
    assert re.match(r"\[emulator\] Stops at .* kept by ModelArts$", status)
    assert "by this server" in extended
    assert until.startswith("[emulator] ")
    assert holds.startswith("[emulator] extension until ")
    assert "kept by ModelArts" in ended
    assert "until you stop it" in off
    assert "saved" in described
    assert "Tuning run 7, lr sweep" in journal.splitlines()[-1]
    assert len(journal.splitlines()) == 5


@pytest.mark.parametrize("block", named([block for block in BLOCKS if block.text.startswith("c.")]))
def test_a_block_for_a_configuration_file(block: Block) -> None:
    """It is Python that a configuration file can hold."""
    config = Config()
    exec(compile(block.text, "jupyter_config.py", "exec"), {"c": config})  # noqa: S102 - it is what it is for
    assert config


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command behind a `$`, and what is shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


RUN = [block for block in BLOCKS if block.language == "console" and not reason(block)]


@pytest.mark.parametrize("block", named(RUN))
def test_a_block_for_the_terminal(block: Block, server: JupyterServer) -> None:
    """Every command of it, in a shell beside the server, exits with 0, and prints what is shown in its form."""
    work = server.folder / "work"
    (work / "train.py").write_text("print('trained')\n", encoding="utf-8")
    with server.client() as client:  # as it was before the cells above
        client.patch("jupyter-autostop/instance", json={"auto_stop": {"enable": True}}).raise_for_status()
    for command, output in commands(block):
        with subprocess.Popen(
            ["bash", "-c", command], env=server.environment, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            said = ""
            if command.startswith(ENDLESS):
                said = process.stdout.readline()
                os.killpg(process.pid, signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
        assert process.returncode == 0, (command, said, rest, errors)
        assert "Traceback" not in errors
        for line in output.splitlines():
            begin = re.split(r"\d", line)[0]
            assert begin in said + rest, (command, said, rest)


@pytest.mark.parametrize("block", named([block for block in BLOCKS if block.language in ("bash", "console")]))
def test_the_shell_can_read_it(block: Block) -> None:
    """Also where it is not run here."""
    text = block.text if block.language == "bash" else "\n".join(command for command, _ in commands(block))
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("block", named([block for block in BLOCKS if block.language == "dockerfile"]))
def test_a_dockerfile(block: Block) -> None:
    """Each line is an instruction, and names the wheel as the build does."""
    assert [line for line in block.text.splitlines() if not DOCKERFILE.fullmatch(line)] == []
    assert "jupyter_autostop-*.whl" in block.text


def test_no_block_is_left_out() -> None:
    """Each is of a language that is tried above, what is not run has its reason, and no reason is left over."""
    assert {block.language for block in BLOCKS} <= {"python", "console", "bash", "dockerfile"}
    assert [block for block in BLOCKS if block.language in ("bash", "dockerfile") and not reason(block)] == []
    assert [begin for begin in NOT_RUN if not any(block.text.startswith(begin) for block in BLOCKS)] == []
    assert len(BLOCKS) == README.read_text(encoding="utf-8").count("\n```") // 2


def test_make_knows_what_is_shown() -> None:
    """Every target that the README names is one."""
    targets = set(re.findall(r"make ([a-z][a-z-]*)", README.read_text(encoding="utf-8")))
    for target in sorted(targets):
        result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "No rule to make" not in result.stderr, target
