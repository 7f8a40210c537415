"""The command as such."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.main import COMMANDS, LazyGroup, main
from agentgateway.errors import GatewayError


def python(*arguments):
    """What a fresh interpreter prints that finds the package where this one did."""
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=environ).stdout


class MainTests(SynchronousTestCase):
    """`agentgateway` without or with a wrong command."""

    def test_help(self):
        """--help lists every command with one line each."""
        result = CliRunner().invoke(main, ["--help"])
        self.assertEqual(result.exit_code, 0)
        for name, line in COMMANDS.items():
            self.assertRegex(result.output, rf"(?m)^  {name} +{line[:40]}")

    def test_version(self):
        """--version names the program."""
        result = CliRunner().invoke(main, ["--version"])
        self.assertEqual(result.exit_code, 0)
        self.assertTrue(result.output.startswith("agentgateway, version "))

    def test_unknown(self):
        """A command that is none is a usage error."""
        self.assertEqual(CliRunner().invoke(main, ["chek"]).exit_code, 2)

    def test_quick(self):
        """Asking for help imports neither Twisted nor any command."""
        code = "import sys, agentgateway.cli.main as m; m.main(['--help'], standalone_mode=False); "
        code += "print([n for n in sys.modules if n.startswith(('twisted', 'agentgateway.cli.', 'yaml'))])"
        out = python("-c", code)
        self.assertEqual(out.splitlines()[-1], "['agentgateway.cli.main']")

    def test_as_module(self):
        """`python -m agentgateway` is the same command."""
        out = python("-m", "agentgateway", "--help")
        self.assertTrue(out.startswith("Usage: agentgateway "))

    def test_commands(self):
        """Every command in the list exists under its name."""
        for name in COMMANDS:
            command = importlib.import_module(f"agentgateway.cli.{name}").command
            self.assertIsInstance(command, click.Command)
            self.assertEqual(command.name, name)


class ErrorTests(SynchronousTestCase):
    """Errors a command lets through."""

    def test_own_error(self):
        """An error of ours ends the command with its text and its own exit status, not with a traceback."""

        class Unreachable(GatewayError):
            exit_status = 3

        group = OneCommand()
        result = CliRunner().invoke(group, ["fail"], obj=Unreachable("no gateway at 127.0.0.1:8080"))
        self.assertEqual((result.exit_code, result.stdout), (3, ""))
        self.assertEqual(result.stderr, "no gateway at 127.0.0.1:8080\n")


class OneCommand(LazyGroup):
    """A group with one command, which raises the context's object."""

    def get_command(self, ctx, cmd_name):
        """The command."""

        @click.command(cmd_name)
        @click.pass_obj
        def fail(error):
            raise error

        return fail
