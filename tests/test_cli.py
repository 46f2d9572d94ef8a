"""The dispatcher `flyteapps`: what it says without importing a command, and how it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, distribution
from pathlib import Path
from types import ModuleType

import pytest

from flyteapps import __version__, cli


def echo(arguments: list[str]) -> int | None:
    """Exit with the number that it is given."""
    return int(arguments[0]) if arguments else None


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three commands are installed: one that works, one whose extra is missing, one that is broken."""
    module = ModuleType("module_of_echo")
    module.__dict__["main"] = echo
    monkeypatch.setitem(sys.modules, module.__name__, module)
    installed = (
        EntryPoint("serve", "module_of_an_extra_that_is_not_there:main", cli.GROUP),
        EntryPoint("echo", "module_of_echo:main", cli.GROUP),
        EntryPoint("broken", "flyteapps.no_such_room:main", cli.GROUP),
    )

    def entry_points(*, group: str) -> tuple[EntryPoint, ...]:
        return tuple(each for each in installed if each.group == group)

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    monkeypatch.setattr(cli, "OWN_COMMANDS", {"serve": "module_of_an_extra_that_is_not_there:main"})


@pytest.mark.usefixtures("commands")
class TestDispatch:
    def test_a_command_gets_the_arguments_after_its_name_and_gives_the_exit_status(self) -> None:
        assert cli.main(["echo", "7"]) == 7
        assert cli.main(["echo"]) == 0

    def test_help_lists_the_commands_and_imports_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--help"]) == 0
        printed = capsys.readouterr().out
        assert "echo" in printed
        assert "run a stand-in control plane" in printed

    def test_no_command_is_a_usage_error_that_prints_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main([]) == 2
        assert "Usage: flyteapps" in capsys.readouterr().out

    @pytest.mark.parametrize("asked", ["nope", "--nope"])
    def test_an_unknown_command_is_refused_with_the_known_ones(
        self, asked: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main([asked]) == 2
        printed = capsys.readouterr()
        assert not printed.out
        assert asked in printed.err
        assert "broken, completion, echo, serve" in printed.err

    def test_a_missing_extra_says_what_to_install(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["serve", "--port", "1"]) == 2
        assert "pip install 'flyteapps[serve]'" in capsys.readouterr().err

    def test_help_of_a_command_without_its_extra(self, capsys: pytest.CaptureFixture[str]) -> None:
        """--help works in a bare install: usage, an example, and what to install for the rest."""
        assert cli.main(["serve", "--help"]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("Usage: flyteapps serve [OPTIONS]\n")
        assert "Run a stand-in control plane that the Flyte SDK and CLI can deploy to." in printed
        assert "pip install 'flyteapps[serve]'" in printed

    def test_a_missing_module_of_our_own_is_not_blamed_on_an_extra(self) -> None:
        with pytest.raises(ModuleNotFoundError, match="no_such_room"):
            cli.main(["broken"])


def test_our_own_commands_are_the_entry_points() -> None:
    """The table of our own commands is that of the distribution's metadata."""
    declared = distribution("flyteapps").entry_points.select(group=cli.GROUP)
    assert {each.name: each.value for each in declared} == cli.OWN_COMMANDS


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"flyteapps {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    """The dispatcher loads neither protobuf nor a stub, a server or another of our packages."""
    heavy = ("google.protobuf", "connectrpc", "pyqwest", "yaml", "click", "rich", "flyteapps_fake", "pytest")
    program = (
        "import sys; from flyteapps import cli; cli.main(['--help']);"
        f"sys.exit(', '.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "serve" in ran.stdout


def test_python_m_runs_the_command() -> None:
    """`python -m flyteapps` is the command."""
    done = subprocess.run([sys.executable, "-m", "flyteapps", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"flyteapps {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_has_the_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script names the installed commands; where the shell is installed, it accepts the script."""
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "serve" in script and "verify" in script and "completion" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_and_options() -> None:
    """A prefix of a command is completed, and an option of that command and its value, as its help has them."""
    tried = """
    source <(python -m flyteapps completion bash)
    flyteapps() { python -m flyteapps "$@"; }
    COMP_WORDS=(flyteapps ser); COMP_CWORD=1; _flyteapps; echo "${COMPREPLY[@]}"
    COMP_WORDS=(flyteapps serve --con); COMP_CWORD=2; _flyteapps; echo "${COMPREPLY[@]}"
    COMP_WORDS=(flyteapps serve --dialect ""); COMP_CWORD=3; _flyteapps; echo "${COMPREPLY[@]}"
    COMP_WORDS=(flyteapps serve --server p); COMP_CWORD=3; _flyteapps; echo "${COMPREPLY[@]}"
    COMP_WORDS=(flyteapps serve --tls-key ""); COMP_CWORD=3; _flyteapps; echo "${COMPREPLY[@]}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", tried], capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )
    command, options, dialects, servers, paths = done.stdout.splitlines()
    assert (dialects, servers, paths) == ("standard flyte-oss", "pyvoy portable", "")
    assert command == "serve" and "--console" in options


@pytest.mark.parametrize("arguments", [[], ["tcsh"], ["bash", "zsh"]])
def test_another_shell_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the three."""
    assert cli.main(["completion", *arguments]) == 2
    assert "bash | zsh | fish" in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback() -> None:
    """`flyteapps --help | true` ends in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "flyteapps", "--help"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (cli.CLOSED_PIPE, "")
