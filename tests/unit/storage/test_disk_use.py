"""The package looks at files through `disk.py` alone: `pathlib`'s own predicates raise for most that can be wrong."""

from __future__ import annotations

import ast

from paths import ROOT

PACKAGE = ROOT / "jupyter_autostop"
RAISING = frozenset(
    {
        *("exists", "is_dir", "is_file", "is_symlink", "is_mount", "is_socket", "is_fifo", "is_block_device"),
        *("is_char_device", "is_junction", "samefile", "resolve", "expanduser", "absolute", "home", "cwd", "owner"),
        *("group", "iterdir", "glob", "rglob", "walk"),
    }
)
MAY = {
    # It takes what does not raise from `os.path`.
    "disk.py",
    # Its folder is one that this program has just made itself.
    "demo.py",
    # Who else is there must not be guessed: what cannot be looked into has to raise.
    "locks.py",
}


def calls_of(source: str) -> list[tuple[int, str]]:
    """Return the line and the name of each method called that `pathlib` has and that raises."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RAISING:
            value = node.func.value
            # `match.group()` and the like of regular expressions take what no path does.
            if node.func.attr != "group" or (isinstance(value, ast.Name) and value.id == "path"):
                found.append((node.lineno, node.func.attr))
    return found


def test_no_predicate_of_pathlibs_is_called() -> None:
    """No module of the package calls one, but those that have a reason."""
    used = {
        f"{path.relative_to(PACKAGE)}:{line}": name
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name not in MAY and "labextension" not in path.parts
        for line, name in calls_of(path.read_text(encoding="utf-8"))
    }
    assert used == {}


def test_one_that_is_called_is_found() -> None:
    """The check sees a method of a variable, of an expression and of the class."""
    source = "p.exists()\n(a / b).is_dir()\nPath.home()\nos.path.exists(p)\nx.expanduser\n"
    assert calls_of(source) == [(1, "exists"), (2, "is_dir"), (3, "home"), (4, "exists")]
