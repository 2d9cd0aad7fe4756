"""The document's list of error codes is the list of codes that the server's sources can give, no more and no less."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_conformance import DOCUMENT, resolve

from jupyter_autostop.platforms.modelarts.errors import MEANINGS
from jupyter_autostop.server.handlers import _REFUSALS

PACKAGE = "jupyter_autostop"
SCHEMAS = DOCUMENT["components"]["schemas"]
OURS, CLOUDS = SCHEMAS["ErrorCode"]["anyOf"]
PROBLEMS = SCHEMAS["ProblemCode"]["anyOf"][1]["enum"]


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of ours that a module imports anywhere, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def server_side() -> dict[str, ast.Module]:
    """Return the syntax of every module that the server extension can come to import."""
    found: dict[str, ast.Module] = {}
    todo = [f"{PACKAGE}.server.app"]
    while todo:
        name = todo.pop()
        if name in found or not name.startswith(f"{PACKAGE}."):
            continue
        try:
            spec = find_spec(name)
        except ModuleNotFoundError:
            continue  # `from module import name` of something that is no module
        if spec is not None and spec.origin:
            found[name] = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
            todo += imported(found[name])
    return found


MODULES = server_side()
CONSTANTS = {
    target.id: node.value.value
    for tree in MODULES.values()
    for node in tree.body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    for target in node.targets
    if isinstance(target, ast.Name)
}
"""The texts that modules give a name."""


def texts(node: ast.AST | None) -> Iterator[str]:
    """Yield the texts that an expression can come to: `"a"`, `A`, `x or "a"`, `"a" if y else "b"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in CONSTANTS:
        yield CONSTANTS[node.id]
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from texts(value)
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))


def parameters(tree: ast.Module) -> dict[str, list[str]]:
    """Return the names of the parameters of each function of a module."""
    return {
        node.name: [arg.arg for arg in node.args.args]
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def codes_in(tree: ast.Module) -> Iterator[str]:
    """Yield what a module passes as `code`, assigns to a `code`, or puts under the key "code"."""
    functions = parameters(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (text for key in node.keywords if key.arg == "code" for text in texts(key.value))
            known = functions.get(node.func.id, []) if isinstance(node.func, ast.Name) else []
            yield from (
                text for name, value in zip(known, node.args, strict=False) if name == "code" for text in texts(value)
            )
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (text for key, value in pairs if "code" in texts(key) for text in texts(value))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                is_name = isinstance(target, ast.Name) and target.id in ("code", "default_code")
                is_key = isinstance(target, ast.Subscript) and "code" in texts(target.slice)
                yield from texts(node.value) if is_name or is_key else ()


def unused_classes() -> set[str]:
    """Return the default codes of error classes that no module of the server mentions: those of the local client."""
    errors = MODULES[f"{PACKAGE}.errors"]
    mentioned = {
        node.id
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and (name != f"{PACKAGE}.errors" or not isinstance(node.ctx, ast.Store))
    }
    classes = [node for node in errors.body if isinstance(node, ast.ClassDef) and node.name not in mentioned]
    return {code for node in classes for code in codes_in(ast.Module([*node.body], []))}


def given_by_the_sources() -> set[str]:
    refusals = {code for code, _, _ in _REFUSALS.values()}
    return {code for tree in MODULES.values() for code in codes_in(tree)} | refusals


def test_the_sources_are_found() -> None:
    """What is looked at is the server's whole side, and nothing of the terminal's."""
    assert {
        f"{PACKAGE}.{name}"
        for name in ("service.service", "server.factory", "platforms.writer", "platforms.modelarts.iam")
    } <= MODULES.keys()
    assert f"{PACKAGE}.cli.main" not in MODULES


def test_every_code_of_the_sources_is_in_the_document() -> None:
    """Nothing can be answered, or shown as a problem, whose code the document does not list."""
    of_the_cloud = {code for code in given_by_the_sources() if re.search(CLOUDS["pattern"], code)}
    assert given_by_the_sources() - of_the_cloud - unused_classes() == {*OURS["enum"], *PROBLEMS}


def test_problems_alone_are_no_errors() -> None:
    """A code that only a State's problem has is in no error's list, and no code is listed twice."""
    listed = [*OURS["enum"], *PROBLEMS]
    assert len(listed) == len(set(listed))
    assert OURS["enum"] == sorted(OURS["enum"])
    assert sorted(PROBLEMS) == PROBLEMS


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_the_clouds_codes_have_their_pattern(code: str) -> None:
    """A code of the cloud that has a sentence of its own is one that the document lets through, in both spellings."""
    for spelt in (code, code.replace("APIGW.", "APIG.")):
        assert re.search(CLOUDS["pattern"], spelt)


def test_each_error_of_the_document_has_a_listed_code() -> None:
    """Whatever is no success answers with an error whose code is one of the list."""
    for path, item in DOCUMENT["paths"].items():
        for verb, operation in item.items():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = resolve(response)["content"]["application/json"]["schema"]
                    parts = [resolve(part) for part in schema.get("allOf", [schema])]
                    assert SCHEMAS["Error"] in parts, (path, verb, status)
    assert SCHEMAS["Error"]["properties"]["code"] == {"$ref": "#/components/schemas/ErrorCode"}
