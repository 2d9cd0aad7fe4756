"""`%autostop …` and `%%autostop hold` in a real IPython."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from fake_autostop import HOUR
from ipython import Cell, Notebook, running_ipython
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError

import jupyter_autostop as autostop

HOSTILE = "<img src=x onerror=alert(1)>&\"'\x1b[2J\n</p><script>alert(2)</script>"


@pytest.fixture(scope="module")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as patch, running_ipython(tmp_path_factory.mktemp("ipython"), patch) as notebook:
        yield notebook


@pytest.fixture
def notebook(ipython: Notebook, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    ipython.renew(monkeypatch)
    return ipython


def refusal(cell: Cell) -> str:
    """Return the one sentence of a refusal."""
    assert isinstance(cell.error, UsageError), cell.error
    assert cell.outputs == []
    said = cell.stdout + cell.stderr
    assert said.startswith("NotDoneError: ")
    assert said.count("\n") == 1
    return said


EVERY_COMMAND = {
    *("status", "extend", "until", "off", "on", "describe"),
    *("holds", "end", "stop", "journal", "doctor"),
}


class TestCommands:
    """What a line asks for and shows."""

    def test_status_is_one_line(self, notebook: Notebook) -> None:
        """In the words of the terminal; the HTML says as of when, too."""
        cell = notebook.run("%autostop status")
        assert cell.error is None
        [line] = cell.texts
        assert re.fullmatch(r"Stops at .*\(in 1 h 59 min\), kept by ModelArts", line)
        assert html.escape(line) in cell.html
        assert re.search(r"lab: first\. As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+\.", cell.html)
        assert cell.result.result["deadline"]["kept_by"] == "platform"

    @pytest.mark.parametrize(("status", "ago"), [("STOPPED", 5_000), ("STOPPED", 30_000), ("STOPPING", 5_000)])
    def test_a_run_that_was_over_is_looked_at_again(self, notebook: Notebook, status: str, ago: int) -> None:
        """A new one may have begun since; what was seen a moment ago is believed, unless it was to pass soon."""
        notebook.fake.more = {
            "instance": {"id": "DE-1", "status": status}, "confirmed_at": notebook.fake.state()["server_time"] - ago,
        }  # fmt: skip
        notebook.run("%autostop status")
        notebook.run("import jupyter_autostop as autostop\n_ = autostop.status()")
        again = [route for _, route, _ in notebook.fake.wishes if route != "instance"]
        assert again == ["instance?refresh=1"] * (0 if (status, ago) == ("STOPPED", 5_000) else 2)

    @pytest.mark.parametrize(
        ("code", "fault", "asked", "known"),
        [
            ("no_answer", None, 1, True),
            ("unavailable", None, 1, True),
            ("no_answer", ("GET", "lost"), 1, False),
            ("credentials_refused", None, 0, False),
        ],
    )
    def test_what_may_have_passed_is_asked_anew(
        self, notebook: Notebook, code: str, fault: tuple[str, str] | None, *, asked: int, known: bool
    ) -> None:
        """A platform that is back is seen to be at once; one that hangs on is told as before, and no key is tried."""
        fake = notebook.fake
        fake.more = {"problem": {"code": code, "message": "It was away.", "hint": ""}}

        def answer(_method: str, route: str) -> None:
            if route == "instance?refresh=1":
                fake.more, fake.faults = {}, [fault] if fault else []

        fake.before_answer = answer
        cell = notebook.run("%autostop status")
        assert [route for _, route, _ in fake.wishes] == ["instance", *["instance?refresh=1"] * asked]
        assert ("It was away." not in cell.texts[0]) == known

    @pytest.mark.parametrize(
        ("line", "wish"),
        [
            ("extend 2h", ("POST", "extend", {"by": 7200})),
            ("extend 1h 30m", ("POST", "extend", {"by": 5400})),
            ("extend 1:30", ("POST", "extend", {"by": 5400})),
            ("off", ("PATCH", "instance", {"auto_stop": {"enable": False}})),
            ("on", ("PATCH", "instance", {"auto_stop": {"enable": True}})),
            ("on 4h", ("PATCH", "instance", {"auto_stop": {"enable": True, "duration": 14400}})),
            ("describe Tuning run 7, lr sweep", ("PATCH", "instance", {"description": "Tuning run 7, lr sweep"})),
            ('describe ""', ("PATCH", "instance", {"description": ""})),
            ("describe ''", ("PATCH", "instance", {"description": ""})),
            ('describe "Tuning run 7"', ("PATCH", "instance", {"description": "Tuning run 7"})),
            ('describe Tuning "run 7" now', ("PATCH", "instance", {"description": "Tuning run 7 now"})),
            ('describe "Run #7"   # the last one', ("PATCH", "instance", {"description": "Run #7"})),
            ("describe C#", ("PATCH", "instance", {"description": "C#"})),
            ("describe Ada's run", ("PATCH", "instance", {"description": "Ada's run"})),
            ("extend 2h            # also 90m, 1h30m, 1:30 (1 h 30 min), 1.5h", ("POST", "extend", {"by": 7200})),
            ("extend\u00a02h", ("POST", "extend", {"by": 7200})),
            ("extend\u30001h\u300030m", ("POST", "extend", {"by": 5400})),
            ("extend\t2h\t#", ("POST", "extend", {"by": 7200})),
            ('extend "2h"', ("POST", "extend", {"by": 7200})),
            ("Extend 2h", ("POST", "extend", {"by": 7200})),
            ("off                # or: on [4h]", ("PATCH", "instance", {"auto_stop": {"enable": False}})),
            ("stop --yes", ("POST", "stop", None)),
        ],
    )
    def test_what_is_asked_for(self, notebook: Notebook, line: str, wish: tuple[str, str, Any]) -> None:
        """Each line asks for what it says, and shows what came of it before the State."""
        notebook.fake.outcome = {"effect": "now", "message": "Now it is <so>.", "clamped": False}
        cell = notebook.run(f"%autostop {line}")
        assert cell.error is None
        assert notebook.fake.wishes == [wish]
        assert cell.texts[0].startswith("Now it is <so>.\nStops at ")
        assert "<strong>Now it is &lt;so&gt;.</strong>" in cell.html

    def test_until(self, notebook: Notebook) -> None:
        """A time is asked for as a moment."""
        notebook.run("%autostop until 2099-01-01T00:00Z")
        assert notebook.fake.wishes[-1] == ("POST", "extend", {"until": 4070908800000})

    def test_it_shows_wherever_it_stands(self, notebook: Notebook) -> None:
        """Also where a line of code follows, and once each."""
        assert len(notebook.run("%autostop status\nx = 1\n%autostop status").texts) == 2

    def test_a_line_returns_what_it_shows(self, notebook: Notebook) -> None:
        """To code, and shown once: where the line stands, and not again as the cell's value; another cell shows it."""
        cell = notebook.run("state = %autostop status")
        assert len(cell.texts) == 1
        assert notebook.shell.user_ns["state"]["deadline"]["kept_by"] == "platform"
        assert len(notebook.run("%autostop status").texts) == 1
        assert notebook.run("state").texts == cell.texts
        assert notebook.run("state").texts == cell.texts
        assert len(notebook.run("checks = %autostop doctor\nchecks[0]['name']").texts) == 2
        assert len(notebook.run("%autostop").outputs) == 1

    @pytest.mark.parametrize("line", ["status;", "status ;", "doctor;  # quietly"])
    def test_a_semicolon_shows_nothing(self, notebook: Notebook, line: str) -> None:
        """As behind any line of a cell, and it is no part of the command."""
        cell = notebook.run(f"%autostop {line}")
        assert (cell.error, cell.outputs) == (None, [])
        assert notebook.fake.wishes != []

    @pytest.mark.parametrize("line", ["help", "--help", "status --help", "extend -h"])
    def test_help(self, notebook: Notebook, line: str) -> None:
        """Every command, in the words of the question mark; a cell below it is not run."""
        cell = notebook.run(f"%autostop {line}")
        assert cell.error is None
        [text] = cell.texts
        assert notebook.run("%%autostop help\n1/0").texts == [text]
        for command in EVERY_COMMAND:
            assert f"%autostop {command}" in text
        assert notebook.fake.wishes == []

    @pytest.mark.parametrize("word", ["version", "--version"])
    def test_the_version(self, notebook: Notebook, word: str) -> None:
        """As the terminal tells it."""
        assert notebook.run(f"%autostop {word}").texts == [f"jupyter_autostop {version('jupyter_autostop')}"]

    def test_what_was_begun_can_be_ended(self, notebook: Notebook) -> None:
        """The only hold without a name; of several the one that is named, by its id or the beginning of it."""
        stop = notebook.fake.stop
        hold = {"until": stop, "then": "restore", "reason": "lr sweep", "owner": {"kind": "kernel"}}
        ids = ["extension", "3f2a9c1e-0000-4000-8000-000000000001", "77aa0000-0000-4000-8000-000000000002"]
        notebook.fake.holds = {name: {**hold, "id": name} for name in ids}
        lines = notebook.run("%autostop holds").texts[0].splitlines()
        assert [line.split()[0] for line in lines] == ["extension", "3f2a9c1e", "77aa0000"]
        assert lines[1].endswith("by a kernel: lr sweep")
        said = refusal(notebook.run("%autostop end"))
        assert "there are 3 to choose from. Name one" in said
        assert all(line in said for line in lines)
        assert "there is no such hold. Held now: extension until" in refusal(notebook.run("%autostop end 99"))
        for name, wish in (("3f2", ids[1]), ("extension", "extension"), ("", ids[2])):
            assert notebook.run(f"%autostop end {name}   # now").error is None
            assert notebook.fake.wishes[-1] == ("DELETE", f"holds/{wish}?by=person", None)
        assert notebook.run("%autostop holds").texts == ["Nothing is held."]

    def test_journal_and_doctor(self, notebook: Notebook) -> None:
        """As in the terminal."""
        assert notebook.run("%autostop journal").texts == ["Nothing has been changed from here yet."]
        assert notebook.run("%autostop doctor").texts == ["!!  Clock: Off.\n      Set it."]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("%autostop fly", "“fly” is nothing that %autostop can do; it can status, extend"),
            ("%autostop extend", "No duration was given"),
            ("%autostop extend 90", "write 90m."),
            ("%autostop extend 2", "2m or 2h"),
            ("%autostop on 2", "write 2h."),
            ("%autostop on later", "not a duration"),
            ("%autostop until 25:00", "not a time"),
            ("%autostop until 2020-01-01T00:00", "has passed"),
            ("%autostop status now", "takes nothing behind it"),
            ("%autostop describe", "clears it"),
            ("%autostop hold --max 8h", "write %%autostop hold"),
            ("%autostop Status now # or later", "takes nothing behind it, not “now”."),
            ("%autostop statsu", "Is %autostop status meant?"),
            ("%autostop --holds", "Is %autostop holds meant?"),
            ("%autostop describe Run #7", "A comment begins at “#7”. Put a text with a # into quotes"),
            ('%autostop describe "Run 7', "quotation mark"),
            ("%autostop end one two", "%autostop end ID"),
            ("%autostop end", "Cannot end a hold: nothing is held"),
            ("%autostop stop now", "takes --yes or nothing, not “now”."),
            ("%autostop stop", "no person can answer here. Write %autostop stop --yes."),
            ("%autostop journal 5", "takes -n and a number or nothing, not “5”."),
            ("%autostop journal -n five", "takes -n and a number or nothing"),
            ("%%autostop hold --reason sweep #7\n1", "A comment begins at “#7”"),
            ("%%autostop hold --max 1h 30q\n1", "“1h 30q” is not a duration"),
            ("%%autostop status\n1", "Only a hold takes a whole cell"),
            ("%%autostop hold --max 90\n1", "write 90m."),
            ("%%autostop hold --then fly\n1", "invalid choice"),
            ("%%autostop hold --now\n1", "“--now” is nothing"),
            ("%%autostop hold 8h\n1", "“8h” is nothing that %%autostop hold knows. Write %%autostop hold [--max 8h]"),
            ("%%autostop\n1", "Only a hold takes a whole cell; write %%autostop hold."),
            ("%%autostop hold --reason 'x\n1", "quotation mark"),
            ("%%autostop hold\nawait x", "does not work below a cell magic"),
        ],
    )
    def test_misuse_is_one_sentence(self, notebook: Notebook, text: str, words: str) -> None:
        """What cannot be meant is refused with the way out, before anything is asked for."""
        assert words in refusal(notebook.run(text))
        assert [wish for wish in notebook.fake.wishes if wish[0] != "GET"] == []

    def test_a_refusal_of_the_server_is_one_sentence(self, notebook: Notebook) -> None:
        """The message and the hint of the server's error."""
        notebook.fake.faults = [("PATCH", 400)]
        assert refusal(notebook.run("%autostop describe R&D")) == "NotDoneError: It cannot be. Leave it.\n"

    def test_no_server_is_one_sentence(self, notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
        """And says what to do."""
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/nowhere")
        for text in ("%autostop status", "%%autostop hold\nx = 1"):
            said = refusal(notebook.run(text))
            assert "No Jupyter server of yours is running on this machine. Start" in said
            assert "--server" not in said  # which only a terminal has
        assert "x" not in notebook.shell.user_ns


class TestFunctions:
    """What the functions ask for, and what is said of what they return."""

    @pytest.mark.parametrize(
        ("call", "wish"),
        [
            ("extend('2h')", ("POST", "extend", {"by": 7200})),
            ("off()", ("PATCH", "instance", {"auto_stop": {"enable": False}})),
            ("on('4h')", ("PATCH", "instance", {"auto_stop": {"enable": True, "duration": 14400}})),
            ("describe('run 7')", ("PATCH", "instance", {"description": "run 7"})),
        ],
    )
    def test_what_is_asked_for(self, notebook: Notebook, call: str, wish: tuple[str, str, Any]) -> None:
        """As in the magic; the State that comes back is a plain dictionary, which a cell shows in words."""
        notebook.fake.outcome = {"effect": "now", "message": "Now it is so.", "clamped": False}
        cell = notebook.run(f"import jupyter_autostop as autostop\nautostop.{call}")
        assert notebook.fake.wishes == [wish]
        assert cell.texts[0].startswith("Now it is so.\nStops at ")
        state = cell.result.result
        assert isinstance(state, dict)
        assert state["outcome"] == state.outcome == notebook.fake.outcome
        with pytest.raises(AttributeError, match="A State has no “stop”; it has instance, "):
            _ = state.stop

    @pytest.mark.parametrize("call", ["extend('2h')", "until('2099-01-01T00:00')"])
    def test_an_extension_that_did_not_happen_is_a_warning(self, notebook: Notebook, call: str) -> None:
        """Whoever does not look at what a function returns is told all the same, where it was called."""
        notebook.fake.outcome = {"effect": "next_start", "message": "Not in this run.", "clamped": False}
        with pytest.warns(autostop.NotDoneWarning, match=r"^Not in this run\. Stops at ") as warned:
            cell = notebook.run(f"import jupyter_autostop as autostop\nstate = autostop.{call}")
        assert cell.error is None
        assert warned[0].filename.endswith("api.py") is False
        assert notebook.shell.user_ns["state"]["outcome"]["effect"] == "next_start"


class TestHostile:
    """Texts from elsewhere are text."""

    @pytest.mark.parametrize("text", ["%autostop status", "import jupyter_autostop as a\na.status()", "%autostop"])
    def test_names_are_text(self, notebook: Notebook, text: str) -> None:
        """Whatever the cloud calls an instance: no tag, no entity, no control character of it gets through."""
        notebook.fake.more = {
            "instance": {"id": "DE-1", "status": "RUNNING", "name": HOSTILE, "description": HOSTILE},
            "holds": [
                {"id": "h", "until": notebook.fake.stop, "then": "stop", "reason": HOSTILE, "owner": {"kind": "kernel"}}
            ],
        }
        cell = notebook.run(text)
        assert cell.error is None
        assert not re.search(r"<(?!/?(?:p|strong|small|br)>)", cell.html)
        assert html.escape("<img src=x onerror=alert(1)>&\"' [2J </p><script>") in cell.html
        assert "\x1b" not in cell.html + "".join(cell.texts)

    def test_problems_are_text(self, notebook: Notebook) -> None:
        """What the platform says of itself comes through as it is written."""
        notebook.fake.stop = None
        notebook.fake.more = {"problem": {"code": "x", "message": HOSTILE, "hint": HOSTILE}}
        assert not re.search(r"<(?!/?(?:p|strong|small|br)>)", notebook.run("%autostop status").html)


class TestHold:
    """A cell that is held."""

    def test_a_cell_is_held(self, notebook: Notebook) -> None:
        """From before its first line until after its last, whose value the cell shows as any other would."""
        notebook.shell.user_ns["fake"] = notebook.fake
        cell = notebook.run("%%autostop hold --max 8h\nduring = list(fake.holds.values())\nlen(during)")
        [held] = notebook.shell.user_ns["during"]
        assert cell.result.result == 1
        assert (held["then"], held["reason"]) == ("restore", "a cell")
        wish = next(body for method, _, body in notebook.fake.wishes if method == "POST")
        assert 8 * HOUR - 10_000 < wish["until"] - held["created_at"] <= 8 * HOUR
        assert set(wish) >= {"id", "until", "then", "reason", "pid"}
        assert notebook.fake.ended == [held["id"]]
        assert cell.texts[0].startswith("Held while this cell runs, until ")
        assert cell.texts[1].startswith("The hold has ended.\nStops at ")

    def test_an_emulated_instance_is_called_one(self, notebook: Notebook) -> None:
        """Once in each line that a held cell shows."""
        notebook.fake.more = {"emulated": True}
        cell = notebook.run("%%autostop hold\n1;")
        lines = "\n".join(cell.texts).splitlines()
        assert len(lines) == 3
        assert [line.rpartition("[emulator] ")[0] for line in lines] == ["", "", ""]
        assert all(line.startswith("[emulator] ") for line in lines)

    def test_without_a_ceiling_the_sites_counts(self, notebook: Notebook) -> None:
        """And a ceiling beyond it is refused with the limit, before anything runs."""
        notebook.fake.longest_hold = HOUR
        cell = notebook.run("%%autostop hold --then=stop --reason 'lr sweep'\n1")
        wish = next(body for method, _, body in notebook.fake.wishes if method == "POST")
        assert (wish["then"], wish["reason"]) == ("stop", "lr sweep")
        assert cell.texts[0].endswith("Then the instance stops; if that ends sooner, after this site's grace.")
        cell = notebook.run("%%autostop hold --max=30h\nx = 1")
        assert "A hold of 30 h is longer than this site allows, which is 1 h. Ask for less" in refusal(cell)
        assert "x" not in notebook.shell.user_ns

    @pytest.mark.parametrize(
        ("line", "minutes", "reason"),
        [
            ("--max 8h              # in the first line of a cell; --then stop: afterwards it stops", 480, "a cell"),
            ("--max 1h 30m", 90, "a cell"),
            ("--max=1h 30m --reason lr sweep", 90, "lr sweep"),
            ("--reason=lr sweep --max 2h    # anything; --then stop", 120, "lr sweep"),
            ("--reason 'lr  sweep' --max '1h 30m'", 90, "lr  sweep"),
            ('--reason="Run #7" --max 2h', 120, "Run #7"),
        ],
    )
    def test_options_as_people_write_them(self, notebook: Notebook, line: str, minutes: int, reason: str) -> None:
        """In several words, in quotes, behind a `=`, and with a comment."""
        assert notebook.run(f"%%autostop hold {line}\n1").error is None
        wish = next(body for method, _, body in notebook.fake.wishes if method == "POST")
        assert (wish["then"], wish["reason"]) == ("restore", reason)
        lasts = wish["until"] - int(time.time() * 1000)
        assert minutes * 60_000 - 60_000 < lasts <= minutes * 60_000

    def test_an_error_ends_it(self, notebook: Notebook) -> None:
        """And is the cell's, with its own line, once."""
        cell = notebook.run("%%autostop hold\nx = 1\nraise KeyError('mine')")
        assert isinstance(cell.error, KeyError)
        assert (len(notebook.fake.ended), notebook.fake.holds) == (1, {})
        assert cell.stdout.count("KeyError: 'mine'") == 1
        assert "raise KeyError('mine')" in cell.stdout
        assert "jupyter_autostop" not in cell.stdout
        # What follows the work is told, all the same.
        assert cell.stderr.startswith("[autostop] The hold has ended. Stops at ")

    def test_a_stop_that_is_called_off_is_told(self, notebook: Notebook) -> None:
        """Whoever switched auto-stop meanwhile has decided; below the cell stands that the stop does not follow."""
        notebook.shell.user_ns["fake"] = notebook.fake
        off = "fake.holds.clear(); fake.stop = None"
        line = "[autostop] The hold was over already, before the work was: the stop that was to follow is called off."
        assert line in notebook.run(f"%%autostop hold --then stop\n{off}").stderr
        line = "[autostop] The hold was over already, before the work was.\n"
        assert notebook.run(f"%%autostop hold\n{off}").stderr == line
        notebook.fake.stop = notebook.fake.state()["server_time"] + HOUR
        notebook.fake.more = {"deadline": {"stop_timestamp": notebook.fake.stop, "kept_by": "server"}}
        cell = notebook.run("%%autostop hold\n1")
        assert (cell.texts[0].count("is called off"), cell.stderr) == (1, "")

    def test_an_interrupt_ends_it(self, notebook: Notebook) -> None:
        """As Ctrl-C and the stop button raise it."""
        cell = notebook.run("%%autostop hold\nimport signal\nsignal.raise_signal(signal.SIGINT)\ny = 1")
        assert isinstance(cell.error, KeyboardInterrupt)
        assert (len(notebook.fake.ended), notebook.fake.holds) == (1, {})
        assert "y" not in notebook.shell.user_ns

    def test_a_semicolon_shows_nothing(self, notebook: Notebook) -> None:
        """As at the end of any cell."""
        assert notebook.run("%%autostop hold\n1;").result.result is None

    @pytest.mark.parametrize("text", ["x = (", "return 1"])
    def test_a_mistake_in_the_text_is_never_held(self, notebook: Notebook, text: str) -> None:
        """A cell that cannot run needs no hold."""
        assert isinstance(notebook.run(f"%%autostop hold\n{text}").error, SyntaxError)
        assert notebook.fake.wishes == []

    def test_a_cell_is_a_cell(self, notebook: Notebook) -> None:
        """Magics, shell commands, definitions and names work below it as anywhere."""
        cell = notebook.run("%%autostop hold\n%time z = 1\nout = !echo hi\ndef f():\n    return z\nf(), out[0]")
        assert cell.result.result == (1, "hi")
        assert notebook.run("f()").result.result == 1


def offered(notebook: Notebook, line: str) -> set[str]:
    """Return what a front end would offer at the end of a line."""
    with provisionalcompleter():
        return {completion.text for completion in notebook.shell.Completer.completions(line, len(line))}


class TestHelp:
    """What is offered to whoever does not know."""

    @pytest.mark.parametrize(
        ("line", "some"),
        [
            ("%autostop ", EVERY_COMMAND),
            ("state = %autostop ex", {"extend"}),
            ("%autostop st", {"status", "stop"}),
            ("%autostop stop ", {"--yes"}),
            ("%autostop extend ", {"1h", "2h", "4h"}),
            ("%%autostop ", {"hold"}),
            ("%%autostop hold --", {"--max", "--then", "--reason"}),
            ("%%autostop hold --then ", {"stop", "restore"}),
        ],
    )
    def test_completion(self, notebook: Notebook, line: str, some: set[str]) -> None:
        """Tab offers what can stand there, and no name of Python's, which cannot."""
        assert offered(notebook, line) == some
        assert "abs" in offered(notebook, "%autostop status\nab")

    def test_the_question_mark(self, notebook: Notebook) -> None:
        """Tells every command."""
        told = notebook.shell.object_inspect_text("%autostop")
        assert "%autostop extend 2h" in told
        assert "%%autostop hold [--max 8h] [--then stop]" in told

    def test_unloaded_it_is_gone(self, notebook: Notebook) -> None:
        """Magic and completion; loaded again, it is back."""
        notebook.run("%unload_ext jupyter_autostop")
        assert "not found" in notebook.run("%autostop status").stderr
        assert "status" not in offered(notebook, "%autostop st")
        notebook.run("%load_ext jupyter_autostop")
        assert notebook.run("%autostop status").error is None
