"""A cell below a cell magic: run as IPython would, its errors and its last value those of the cell."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from jupyter_autostop.kernel.spoken import refuse

if TYPE_CHECKING:
    from types import CodeType

_AWAIT = "`await` does not work below a cell magic; write `with autostop.hold(): await …` instead."


class Work:
    """A cell, compiled: what is wrong with its text is raised before anything runs."""

    def __init__(self, shell: Any, cell: str) -> None:
        self._shell = shell
        text = shell.transform_cell(cell)
        # Under a name that tracebacks find the text by.
        self._name = shell.compile.cache(text, shell.execution_count, raw_code=cell)
        tree = shell.transform_ast(shell.compile.ast_parse(text, filename=self._name))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._steps = self._compile(tree, "exec")
        self._value = self._compile(ast.Expression(last.value), "eval") if last else None

    def _compile(self, tree: ast.AST, mode: str) -> CodeType:
        with self._shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            code: CodeType = self._shell.compile(tree, self._name, mode)
        if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            # The event loop runs this very line, and would have to wait for itself.
            refuse(_AWAIT)
        return code

    def run(self) -> Any:
        """Run it and return the value of its last line, if that has one."""
        __tracebackhide__ = True
        names = self._shell.user_ns
        exec(self._steps, self._shell.user_global_ns, names)  # noqa: S102 - it is what a cell is for
        return eval(self._value, self._shell.user_global_ns, names) if self._value else None  # noqa: S307 - likewise
