"""What a front end offers behind `%autostop` and `%%autostop` when Tab is pressed."""

from __future__ import annotations

import re
from typing import Any

try:
    from IPython.core.completer import SimpleCompletion, context_matcher
except ImportError:  # before IPython 8.6
    context_matcher = None  # type: ignore[assignment]

from jupyter_autostop.client.hold import ENDINGS
from jupyter_autostop.kernel.spoken import COMMANDS

_EXAMPLES = {
    "extend": ["1h", "2h", "4h"],
    "on": ["4h"],
    "until": ["18:00"],
    "end": ["extension"],
    "stop": ["--yes"],
    "journal": ["-n"],
}
_COMPLETED = r"\s*(\w+\s*=\s*)?%{1,2}autostop\b"
_OPTIONS = ["--max", "--then", "--reason"]


def complete(_shell: Any, event: Any) -> list[str]:
    """Return what can stand behind `%autostop` or `%%autostop`, for IPython's completer."""
    return _offers(event.line)


def _offers(line: str) -> list[str]:
    magic_word, _, typed = line[line.index("%") :].partition(" ")
    words = typed.split()
    at_first = not words or (len(words) == 1 and not typed.endswith(" "))
    if magic_word == "%%autostop":
        if at_first:
            return ["hold"]
        before = words[-1] if typed.endswith(" ") else words[-2]
        return list(ENDINGS) if before == "--then" else _OPTIONS
    return list(COMMANDS) if at_first else _EXAMPLES.get(words[0], [])


def _alone(context: Any) -> Any:
    """Offer the same and nothing else: behind a magic no name of Python's can stand, which a hook cannot say."""
    line = context.text_until_cursor
    offers = _offers(line) if re.match(_COMPLETED, line) else []
    fitting = [SimpleCompletion(word, type="magic") for word in offers if word.startswith(context.token)]
    return {"completions": fitting, "ordered": True, "suppress": True}


_matchers = [] if context_matcher is None else [context_matcher(identifier="autostop")(_alone)]


def load(shell: Any) -> None:
    """Teach an IPython's completer the magic."""
    shell.set_hook("complete_command", complete, re_key=_COMPLETED)
    if shell.Completer is not None:
        shell.Completer.custom_matchers[:0] = _matchers


def unload(shell: Any) -> None:
    """Let an IPython's completer forget it."""
    shell.strdispatchers["complete_command"].regexs.pop(re.compile(_COMPLETED), None)
    for matcher in _matchers if shell.Completer is not None else []:
        if matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(matcher)
