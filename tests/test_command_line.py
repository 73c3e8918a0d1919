"""Every option of every verb against hostile values; readers that go; letters not to be shown."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.arguments import verbs
from bench.catalog import PROFILES
from tests.verbs import ROOT, bench

HOSTILE = (
    *("", " ", "nan", "inf", "-inf", "-1", "1e99", "9" * 30, "٣", "²", "1_0", "0x10", ","),
    *("a\nb", "\udcff", "x" * 5000, "../../etc/passwd", "%s%n", "{0}", "=1+1", "$(id)"),
    *("http://joe:s3cret@[::1", "http://127.0.0.1:99999/?token=s3cret", "file:///etc/passwd"),
)
REQUIRED = {
    "serve": ("--server", "waitress"),
    "compare": ("latest", "latest"),
}


def _options() -> Iterator[tuple[str, str]]:
    """Every option that takes a value, and every position, of every verb."""
    for verb, grammar in verbs().items():
        for action in grammar._actions:
            if action.nargs != 0:
                yield verb, (action.option_strings or [action.dest])[-1]


OPTIONS = tuple(_options())


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_help_names_every_profile(verb: str) -> None:
    """Those that there are, not those that there were."""
    told = " ".join(verbs()[verb].format_help().split())
    assert f"{', '.join(PROFILES)} (quick)" in told


def test_the_verbs_have_options() -> None:
    """The table below is not empty, and holds those that were found wanting."""
    assert len(OPTIONS) > 50
    assert ("locust", "--web-port") in OPTIONS
    assert ("compare", "before") in OPTIONS


@pytest.mark.parametrize("module", ["faults", "measure", "profile", "serve", "web_ui"])
def test_a_verb_imports_no_plots_before_it_draws(module: str) -> None:
    """matplotlib and scipy.stats take two seconds, and who mistyped a name waits for neither."""
    asked = f"import sys, bench.commands.{module}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"matplotlib", "scipy.stats"} & set(ended.stdout.split())


@pytest.mark.parametrize(("verb", "option"), OPTIONS)
def test_a_hostile_value(
    verb: str, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, without a traceback, a secret or a control character, and status 2 (1 would be read
    as 'worse'); nothing is written."""
    for value in HOSTILE:
        with contextlib.chdir(tmp_path):
            status = _status(_arguments(verb, option, value))
        output = capsys.readouterr()
        said = output.err.strip()
        assert status == 2, (value, output.out)
        assert said.startswith("onehop: "), (value, said)
        assert "\n" not in said
        assert said.isprintable()
        assert len(said) < 2000
        assert "s3cret" not in said
        assert not list(tmp_path.iterdir())


def _arguments(verb: str, option: str, value: str) -> list[str]:
    if not option.startswith("-"):
        values = {"before": (value, "latest"), "after": ("latest", value)}.get(option, (value,))
        return [verb, "--", *values]
    required = REQUIRED.get(verb, ())
    return [verb, *(() if option in required else required), f"{option}={value}"]


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def test_a_mistake_is_told_in_one_line_at_any_level(tmp_path: Path) -> None:
    """No verb, an unknown one, an unknown option, one given twice."""
    for arguments, words in (
        ((), "required: VERB"),
        (("mesure",), "invalid choice: 'mesure'"),
        (("run", "--wrong"), "unrecognized arguments: --wrong"),
        (("plan", "--seed", "1", "--seed", "2"), "--seed: given twice"),
        (("run", "http://joe:s3cret@h/"), "http://***@h/"),
    ):
        ended = bench(*arguments, cwd=tmp_path)
        assert ended.returncode == 2
        assert words in ended.stderr
        assert ended.stderr.count("\n") == 1


def run(
    line: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A line of shell with `bench` for the command."""
    return subprocess.run(
        ["bash", "-c", line.replace("bench", f"{sys.executable} -m bench")],
        capture_output=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


@pytest.mark.parametrize("verb", ["run --list", "run --dry-run", "plan --profile full", "--help"])
def test_a_reader_that_goes(verb: str, tmp_path: Path) -> None:
    """`| head -1` has its line; nothing is said, and the verb's status is its own."""
    ended = run(f"bench {verb} | head -1; exit ${{PIPESTATUS[0]}}", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.count(b"\n") == 1


def test_a_reader_that_was_never_there(tmp_path: Path) -> None:
    """A closed output is no fault."""
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        assert run(f"bench run --list {closed}", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_letters_that_cannot_be_shown(env: dict[str, str], tmp_path: Path) -> None:
    """The output is the same but for the letters, which are written another way."""
    plain = run("bench run --dry-run", cwd=tmp_path).stdout.decode()
    ended = run("bench run --dry-run", cwd=tmp_path, env=env)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert " · " in plain
    assert ended.stdout.decode("latin-1").replace("·", "|") == plain.replace("·", "|")
    mistake = run("bench plan --servers wäitress", cwd=tmp_path, env=env)
    assert (mistake.returncode, mistake.stderr.count(b"\n")) == (2, 1)


SPEC = "from servers.spec import Server\n"
BROKEN = {
    "SERVER = 3": "must hold SERVER = Server(name='mine', …)",
    f"{SPEC}SERVER = Server('other', '')": "must hold SERVER",
    f"{SPEC}SERVER = Server('mine', 3)": "summary=3 is not what",
    f"{SPEC}SERVER = Server('mine', '', 'flask')": "requirements='flask' is not",
    f"{SPEC}SERVER = Server('mine', '', (1,))": "requirements=(1,) is not",
    f"{SPEC}SERVER = Server('mine', '', argv='mine')": "argv='mine' is not",
    f"{SPEC}SERVER = Server('mine', '', idle_s='1')": "idle_s='1' is not",
    "SERVER =": "SyntaxError: invalid syntax",
    "import nowhere_to_be_found": "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "raise ValueError('two\\nlines')": "ValueError: two lines",
    "import sys; sys.exit()": "SystemExit",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "def f(): f()\nf()": "RecursionError: maximum recursion depth",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_of_servers_that_is_broken(text: str, tmp_path: Path) -> None:
    """A file of the user's own that is no server, or that fails or ends the process when it is
    read, is the user's mistake: one line that names the file, status 2."""
    (tmp_path / "servers").mkdir()
    (tmp_path / "servers/mine.py").write_text(text)
    told = servers_of(tmp_path / "servers", tmp_path)
    assert f"{tmp_path}/servers/mine.py" in told
    assert BROKEN[text] in told


def test_folders_of_servers_that_would_do_nothing(tmp_path: Path) -> None:
    """One that is not there, and a file that the project's own of the same name hides."""
    assert servers_of(tmp_path / "nowhere", tmp_path).endswith("/nowhere is no folder\n")
    (tmp_path / "waitress.py").write_text("")
    assert "waitress.py has the name of a file of ours" in servers_of(tmp_path, tmp_path)


def servers_of(folder: Path, cwd: Path) -> str:
    ended = bench("run", "--list", cwd=cwd, env={"ONEHOP_SERVERS": str(folder)})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"onehop: ONEHOP_SERVERS={folder}: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.mark.parametrize("hidden", ["garbage", "", "3", '{"a": 1}', "[1]", "[" * 100_000])
def test_a_variable_of_ours_that_is_not_ours(hidden: str, tmp_path: Path) -> None:
    """What nox hands over in the environment, set by somebody else."""
    ended = bench("run", "--list", cwd=tmp_path, env={"ONEHOP_HIDDEN": hidden})
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("onehop: ONEHOP_HIDDEN is set, and not by nox")


def test_every_verb_is_dispatched() -> None:
    """Each names a function that there is."""
    for grammar in verbs().values():
        module, _, function = grammar.get_default("verb").partition(".")
        assert callable(getattr(importlib.import_module(f"bench.commands.{module}"), function))
