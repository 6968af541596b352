"""The command `retarget`: finds the verb, reads the settings, and turns what goes wrong into exit codes.

0 fine, 1 a problem in the user's input, 2 wrong usage, 3 a service cannot be reached, 130 ended by Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Final

from retarget.errors import RetargetError, Unreachable, WrongUsage
from streams.ports import UnknownOutcome

FINE: Final = 0
BAD_INPUT: Final = 1
WRONG_USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130
_SILENT: Final = logging.NullHandler()

# In the order in which a newcomer needs them; each is a module, imported when it is asked for.
COMMANDS: Final[Mapping[str, str]] = {
    "demo": "broker, store, engine and a simulated shop on this machine, and what they send",
    "replay": "the engine over files, without broker and store",
    "backtest": "what rules would have sent, and what other rules would have sent instead",
    "check": "look for mistakes in rules and settings, and run the rules' test cases",
    "rules": "publish rules to all workers, or list what was published",
    "diff": "what a change of rules means, in words",
    "run": "a worker: touchpoints in, messages out",
    "topics": "create the topics, or check them",
    "settings": "every setting, its value and where it came from",
    "produce": "touchpoints of files into Kafka",
    "collect": "the HTTP entrance for producers: Segment's API, CloudEvents, a pixel",
    "channel": "a service that hands messages over: email, push, ads, direct_mail, sms, ...",
    "simulate": "touchpoints of a simulated shop into Kafka",
    "tail": "print what is in a topic",
    "explain": "the timeline of a person: what was decided and why, what is waiting",
    "export": "all that is stored of a person",
    "erase": "forget a person, in every lane and under all of their ids",
    "redrive": "dead letters once more, after what was wrong has been mended",
    "pause": "stop a rule, a channel or everything, within a second",
    "resume": "end a pause",
    "revoke": "the links of messages lead nowhere any more, at once",
    "snapshot": "copies of all lanes as files, from which a lost store comes back",
    "repartition": "more partitions, while no worker runs",
    "sizing": "what so many people take: store, shards, workers, partitions, Kafka",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(given)
    except SystemExit as end:  # argparse: help, or wrong usage
        return end.code if isinstance(end.code, int) else FINE
    except (RetargetError, UnknownOutcome) as error:
        return _refused(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `retarget tail … | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE


def _run(given: Sequence[str]) -> int:
    module, args = _parsed(given)
    # What a client logs about a lost server is said again, and better, by the error that ends the command.
    logging.getLogger("aiokafka").addHandler(_SILENT)
    from streams.secrecy import hiding
    from streams.settings import load_settings

    overrides = [*args.set, *(module.overrides(args) if hasattr(module, "overrides") else ())]
    presets: Mapping[str, str] = getattr(module, "PRESETS", {})
    settings = load_settings(args.config, os.environ, overrides, presets=presets)
    hide = hiding(settings)
    sys.excepthook = partial(_told, hide)
    try:
        code: int = module.run(settings, args)
    except (RetargetError, UnknownOutcome) as error:
        return _refused(error, hide)
    sys.stdout.flush()
    return code


def _refused(error: Exception, hide: Callable[[str], str] = str) -> int:
    """Say what was wrong; the exit code."""
    print(hide("\n".join([str(error), *getattr(error, "__notes__", ())])), file=sys.stderr)
    if isinstance(error, WrongUsage):
        return WRONG_USAGE
    return UNREACHABLE if isinstance(error, (Unreachable, UnknownOutcome)) else BAD_INPUT


def _told(
    hide: Callable[[str], str], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Whatever nobody expected, with its traceback, without secrets."""
    sys.stderr.write(hide("".join(traceback.format_exception(kind, error, trace))))


def _parsed(given: Sequence[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The command's module and its arguments. Raises SystemExit after help or wrong usage."""
    parser = argparse.ArgumentParser(
        prog="retarget",
        description="Real-time retargeting: touchpoints in from Kafka, the right message out.",
        epilog="`retarget COMMAND --help` tells a command's options and settings. Exit codes: 0 fine, "
        "1 a problem in your input, 2 wrong usage, 3 a service cannot be reached.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('retarget')}")
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in given if not word.startswith("-")), None)
    found: ModuleType | None = None
    for name, sentence in COMMANDS.items():
        if find_spec(f"streams.commands.{name}") is None:
            continue
        verb = verbs.add_parser(
            name,
            help=sentence,
            description=sentence[0].upper() + sentence[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            found = import_module(f"streams.commands.{name}")
            _declare(verb, found)
    args = parser.parse_args(given)
    assert found is not None, "argparse lets no other command through"
    return found, args


def _declare(verb: argparse.ArgumentParser, module: ModuleType) -> None:
    module.add(verb)
    common = verb.add_argument_group("settings")
    common.add_argument("--config", metavar="FILE", type=Path, help="a TOML file with settings")
    common.add_argument(
        "--set", metavar="SECTION.KEY=VALUE", action="append", default=[],
        help="one setting, stronger than file and environment; may be repeated",
    )  # fmt: skip
    verb.epilog = _environment(verb.get_default("settings") or ())


def _environment(keys: Sequence[str]) -> str:
    """The lines of a help that name the variables of these settings."""
    from streams.settings import sentence_of
    from streams.settings_source import environment_name

    names = ["RETARGET_CONFIG", *map(environment_name, keys)]
    says = ["The file with settings, unless --config names one.", *map(sentence_of, keys)]
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {sentence}" for name, sentence in zip(names, says, strict=True)]
    return "\n".join(["environment:", *lines, "`retarget settings` lists every setting."])
