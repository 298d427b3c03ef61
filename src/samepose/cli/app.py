"""The verbs, and what becomes of errors: one line on stderr and the exit code that the contract names.

Exit codes: 0 all done; 1 some inputs failed and were reported; 2 wrong usage; 3 nothing could be done; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from io import TextIOWrapper

from cyclopts import App, CycloptsError, Group

from samepose.cli.text import shown
from samepose.errors import SameposeError, UsageError

_LOOK = Group("Try it", sort_key=0)
_INDEX = Group("Search by pose", sort_key=1)
_SEQUENCES = Group("Compare movements", sort_key=2)
_MODELS = Group("Models", sort_key=5)

# name, arguments, "module:function", one line of help, group. The module is only imported when the verb is used.
# With None for the arguments it is "module:app", an App of that name with verbs of its own.
VERBS: tuple[tuple[str, str | None, str, str, Group], ...] = (
    ("demo", "", "samepose.cli.demo:demo", "See what samepose does, without any data of your own.", _LOOK),
    ("doctor", "", "samepose.cli.doctor:doctor", "Check the installation: versions, weights, threads, extras.", _LOOK),
    ("detect", "MEDIA…", "samepose.cli.detect:detect", "Find people and their joints in photos and videos.", _INDEX),
    ("index", "MEDIA…", "samepose.cli.index:index", "Add the people in photos, videos and mocap to an index.", _INDEX),
    ("search", "QUERY", "samepose.cli.search:search", "Find the people of an index in the pose of a query.", _INDEX),
    ("cluster", "INDEX", "samepose.cli.cluster:cluster", "Group the people of an index by pose.", _INDEX),
    ("lift", "PHOTO|VIDEO", "samepose.cli.lift:lift", "Lift people into space: 3D poses in metres.", _INDEX),
    ("serve", "", "samepose.cli.serve:serve", "Search in the browser: drop a picture, drag the joints.", _INDEX),
    ("info", "", "samepose.cli.contents:info", "Say what an index holds.", _INDEX),
    ("label", "GLOB|ID… NAME", "samepose.cli.contents:label", "Label files or people of an index.", _INDEX),
    ("optimise", "", "samepose.cli.optimise:optimise", "Make searches of an index fast, after much was added.", _INDEX),
    ("remove", "GLOB|ID…", "samepose.cli.contents:remove", "Remove files or people from an index.", _INDEX),
    ("align", "A B", "samepose.cli.align:align", "Align two performances and show where they differ.", _SEQUENCES),
    ("find", "EXAMPLE --in WHERE", "samepose.cli.find:find", "Find a move in long clips or in an index.", _SEQUENCES),
    ("count", "EXAMPLE --in CLIP", "samepose.cli.find:count", "Count the repetitions of a move.", _SEQUENCES),
    ("recognise", "CLIP…", "samepose.cli.recognise:recognise", "Name actions by their nearest examples.", _SEQUENCES),
    ("synth", "MOCAP…", "samepose.cli.synth:synth", "Render people from motion capture, to train on.", _MODELS),
    ("export", "RUN", "samepose.cli.train:export", "Write the model of a training run as ONNX.", _MODELS),
    ("train", None, "samepose.cli.train:app", "Train a model.", _MODELS),
    ("eval", None, "samepose.cli.evaluate:app", "Measure models by the protocols of the papers.", _MODELS),
    ("explain", None, "samepose.cli.explain:app", "Show in pictures what a model has learned.", _MODELS),
)

_LONGEST = 500  # characters of a line about an error: names in it come from files, and may be of any length
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_ALIASES = {"recognise": ("recognize",), "optimise": ("optimize",)}
# Arguments of the library whose flag is not their name, and calls for which there is a verb.
_SPELLED = {"k": "-k", "time_from": "--from", "time_to": "--to"}
_CALLS = {"`create=True`": "`samepose index MEDIA`", "`Index.re_embed()`": "`samepose index --re-embed`",
          **{f"`Index.re_embed(embedding='{name}')`": f"`samepose index --re-embed --embedding {name}`"
             for name in ("keypoints", "pixels", "both")},
          "`Index.search`": "`samepose search`", "`Clip.part`": "--span",
          "`Index.open(…)`": "the folder of `samepose index`", "`Index.labels()`": "`samepose info --export FILE.json`"}


def build_app() -> App:
    """The command line; verbs whose module is not there are left out."""
    app = App(
        name="samepose",
        help="Is this the same pose? Find human poses in photos and videos, whatever the camera angle.",
        help_epilogue="Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage, 3 nothing could be done.",
        help_format="plaintext",
        version=_version,
        suppress_keyboard_interrupt=False,  # `main` says what became of it
    )
    app["--help"].group = app["--version"].group = Group("Help", sort_key=9)
    for name, form, target, text, group in VERBS:
        if find_spec(target.partition(":")[0]):
            words = ["Usage: samepose", name, form, "[OPTIONS]"]
            usage = {} if form is None else {"usage": " ".join(word for word in words if word)}
            app.command(target, name=(name, *_ALIASES.get(name, ())), help=text, group=group, **usage)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Nothing but results goes to stdout."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file name need not be valid in the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        code = build_app()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try again at its end
        if "--debug" in tokens:
            print(shown(traceback.format_exc().rstrip(), keep="\n"), file=sys.stderr)
        message, code = explained(error, tokens)
        print(f"error: {shown(shortened(message))}", file=sys.stderr)
        return code


def explained(error: BaseException, tokens: Sequence[str] = ()) -> tuple[str, int]:
    """One line for the user, and the exit code."""
    if isinstance(error, CycloptsError):
        error.verbose = False
        verb = f"{tokens[0]} " if tokens and tokens[0] in {name for name, *_ in VERBS} else ""
        return f"{_one_line(error).rstrip('.')}; see `samepose {verb}--help`", UsageError.exit_code
    if isinstance(error, SameposeError):
        return as_flags(_one_line(error)), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; what was finished is kept", 130
    if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        return f"the output cannot be written ({error.strerror}); free some space, or send it elsewhere", 3
    if isinstance(error, OSError) and error.filename is not None:
        why = error.strerror or type(error).__name__
        return f"{error.filename}: {why}; check the path, the disk and its permissions", SameposeError.exit_code
    what = f"{type(error).__name__}: {_one_line(error)}"
    return f"unexpected {what}; run again with --debug to see where", SameposeError.exit_code


def shortened(text: str) -> str:
    """A line of bearable length: of a longer one the beginning, which names the input, and the end, the remedy."""
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"


def as_flags(text: str) -> str:
    """A message of the library, which speaks of arguments in backticks, as the command line says it."""
    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        spelled = _SPELLED.get(name, "--" + name.replace("_", "-"))
        return f"{spelled} {value}" if value else spelled

    for call, verb in _CALLS.items():
        text = text.replace(call, verb)
    return re.sub(r'`([a-z][a-z_]*)(?:=["\']?([^`"\']+)["\']?)?`', flag, text)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _version() -> str:
    from samepose import __version__

    return f"samepose {__version__}"
