"""The entrance: finds the command, imports only its file, and turns every refusal into one message and exit code 2."""

from __future__ import annotations

import functools
import importlib
import keyword
import logging
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hatrack.core.errors import HatrackError, ProcessLost, TrainingError
from hatrack.core.names import closest
from hatrack.core.threads import wait_for_the_next_loop
from hatrack.core.world import World, world

if TYPE_CHECKING:
    import typer

__all__ = ["COMMANDS", "main", "program"]

COMMANDS = {
    "quickstart": "Make, train and prove three example adapters, in minutes, without a network.",
    "advise": "Say which approach to begin with, before there is any data.",
    "init": "Start a project: write a hatrack.yaml for a data file.",
    "check": "Look at the data before training: what is wrong with it, and what to do.",
    "prepare": "Write clean, split, hashed training data, with a record of every step.",
    "compare": "Try every approach on your data, from word counts to full fine-tuning, and recommend one.",
    "adapt": "The whole way: check, train, evaluate, and promote what beats the base.",
    "train": "Train an adapter and register it as a new version.",
    "eval": "Measure a version against the base on the test rows, or any two systems side by side.",
    "score": "Score a file of predictions: every metric with its interval, slices, a second system.",
    "judge": "Let a model judge two systems, and check the judge against people.",
    "redteam": "Ask a version, or any endpoint, what it must not answer, and judge the answers by rule.",
    "drift": "Say whether what a version is asked is still what it was made for.",
    "worker": "Run the schedules of hatrack.yaml until it is told to stop: drift, red team, evaluation.",
    "run-due": "Run the schedules that are due, once; for cron.",
    "gate": "Say whether a version passes the gate, rule by rule; the exit code is for CI.",
    "promote": "Make a version the champion, if its evaluation allows it.",
    "rollback": "Give the title back to the champion before.",
    "versions": "List adapters and their versions.",
    "registry": "Share versions: log, push, pull, verify, clear away, upgrade, export.",
    "diff": "Show what differs between two versions.",
    "merge": "Make one adapter of several, and measure it on the rows of each.",
    "shrink": "Make a fully tuned version smaller at a known error, and measure it anew.",
    "export": "Write a version for another tool (PEFT, llama.cpp, Ollama, vLLM, ONNX), opened there and compared.",
    "import": "Take over an adapter that was made elsewhere, PEFT's or llama.cpp's, as a version.",
    "bundle": "Put base, versions, knowledge and config into one signed file, for a machine without a network.",
    "unbundle": "Check a bundle, and make a project of it.",
    "delta": "Keep a fully tuned model as a difference to its base, bit for bit.",
    "ask": "Ask an adapter one question.",
    "chat": "Talk with an adapter.",
    "classify": "Label every text of a file.",
    "serve": "Answer over HTTP, in OpenAI's shapes: all adapters from one base.",
    "studio": "Do all of this in a browser: upload a file, look at it, train, read the proof, serve.",
    "mcp": "Offer ask, classify and search as tools of the Model Context Protocol, over stdin and stdout.",
    "costs": "Show what hosted models were asked, what it cost, and what is left of each budget.",
    "keys": "Make, list and revoke the server's API keys.",
    "route": "Explain which adapter a request goes to, and learn what each adapter's requests are about.",
    "kb": "Keep documents to answer from: add, search, explain, measure.",
    "table": "Predict from tables: train, predict, explain, compare classical models, learn from a stream.",
    "explain-text": "Put a table's prediction into words, checked against its reasons.",
    "methods": "List the training methods: what each trains on this base, when to choose it.",
}

TOGETHER = ("train",)  # what several processes can do together

_TRAINING = ("train", "adapt", "compare", "quickstart")

_HEAD = """Usage: hatrack COMMAND [ARGUMENTS]

  Hatrack: one base model, many hats.

  Train small adapters on your own data, prove them against the base, keep every version, use them side by side.

Options:
  --version   Print the version and exit.
  -h, --help  Show this message and exit. `hatrack COMMAND --help` explains one command.

Commands:"""


def main(arguments: list[str] | None = None) -> None:
    """Run a command line; never returns.

    Exit codes: 0 done, 1 not proven (an evaluation that did not pass), 2 refused, 130 interrupted.
    """
    given = sys.argv[1:] if arguments is None else arguments
    # Notices of the libraries to their own developers; a user can do nothing about them.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|torch|peft|accelerate")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says at import which kernels it would like to download
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # several processes: how gradients could be collected a little faster
    try:
        _dispatch(given)
    except HatrackError as error:
        _say("Error", str(error), lost=isinstance(error, ProcessLost))
        sys.exit(2)
    except (KeyboardInterrupt, _Interrupted):
        _say("Interrupted", "a training run goes on where it was when the same command is run again")
        sys.exit(130)


def program(command: str) -> typer.Typer:
    """One of ``COMMANDS`` as a Typer program of its own: nothing of the others is imported."""
    import typer

    file = f"{command}_" if keyword.iskeyword(command) else command.replace("-", "_")
    module = importlib.import_module(f"hatrack.cli.commands.{file}")
    asked = {"help_option_names": ["-h", "--help"]}
    made = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, context_settings=asked
    )
    parts = getattr(module, "PARTS", None)  # a command of several: name to (function, help)
    for name, (run, text) in (parts or {command: (module.run, COMMANDS[command])}).items():
        made.command(name, help=text, context_settings=asked)(_interruptible(run))
    if parts:
        made.callback(help=COMMANDS[command])(lambda: None)
    return made


def _say(kind: str, text: str, *, lost: bool = False) -> None:
    """Several processes mostly meet a fault together; the first of them says it."""
    try:
        here = world()
    except HatrackError:
        here = World()
    if here.size > 1:
        from hatrack.training.processes import first_to_say

        if not first_to_say(text, lost=lost):
            return
    where = f" in process {here.rank} of {here.size}" if here.size > 1 else ""
    print(f"{kind}{where}: {text}", file=sys.stderr)


def _dispatch(given: list[str]) -> None:
    first = given[0] if given else "--help"
    if first in ("-h", "--help"):
        print(_help())
    elif first == "--version":
        from hatrack import __version__

        print(f"hatrack {__version__}")
    elif first in COMMANDS:
        if (size := world().size) > 1 and first not in TOGETHER:
            raise TrainingError(
                f"hatrack {first} works in one process",
                given=f"{size} processes",
                allowed=", ".join(f"hatrack {name}" for name in TOGETHER),
                fix=f"run `hatrack {first}` without a launcher, after training",
            )
        if first in _TRAINING:
            wait_for_the_next_loop()
        program(first)(args=given[1:], prog_name=f"hatrack {first}")
    else:
        near = closest(first, COMMANDS, 1)
        raise HatrackError(
            "there is no such command", given=first, fix=f"did you mean `hatrack {near[0]}`?" if near else "run `hatrack --help`"
        )


def _help() -> str:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    lines = [_HEAD]
    for name, text in COMMANDS.items():
        lines += textwrap.wrap(text, width, initial_indent=f"  {name:<14}", subsequent_indent=" " * 16)
    return "\n".join(lines)


def _interruptible(run: Callable[..., None]) -> Callable[..., None]:
    """Typer would print "Aborted" for Ctrl-C; ours says that nothing is lost."""

    @functools.wraps(run)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            run(*args, **kwargs)
        except KeyboardInterrupt as error:
            raise _Interrupted from error

    return wrapped


class _Interrupted(Exception):
    """Ctrl-C on its way through Typer."""
