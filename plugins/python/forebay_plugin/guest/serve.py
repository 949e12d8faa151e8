"""The plugin's module as one function: its settings read, its clock and randomness set, its errors told."""

import dataclasses
import inspect
import json
import logging
import sys
import typing

from forebay_plugin import log
from forebay_plugin.failure import Failure
from forebay_plugin.guest import chance, clock
from forebay_plugin.guest.trouble import told
from forebay_plugin.message import Message
from forebay_plugin.outcome import Outcome
from forebay_plugin.reading import Fields, read


class Served:
    """A plugin's module, ready for messages."""

    def __init__(self, plugin):
        handle = getattr(plugin, "handle", None)
        if not callable(handle):
            raise TypeError("handler.py has no function `handle`: def handle(message, settings): ...")
        names = list(inspect.signature(handle).parameters)
        if not 1 <= len(names) <= 2:
            raise TypeError(f"handler.py: handle({', '.join(names)}) takes a message, and the settings if it wants them")
        self._handle = handle
        self._init = getattr(plugin, "init", None) or _reader(handle, names)
        self._settings = None
        self._is_told = len(names) == 2
        chance.begin(_source())
        _take_logging()

    def init(self, config):
        """Reads the plugin's ``config`` table."""
        with _Told():
            try:
                self._settings = self._init(json.loads(config, object_pairs_hook=Fields))
            except Failure as failure:
                code = "bad-config" if failure.code == "malformed" else failure.code
                raise Failure(code, f"the plugin's `config` table: {failure.message}") from None

    def handle(self, message: Message):
        """Returns the handler's answer; a failure that it raised, too."""
        clock.set(message)
        chance.set(message)
        with _Told():
            try:
                answer = self._handle(message, self._settings) if self._is_told else self._handle(message)
            except Failure as failure:
                return failure
            if not isinstance(answer, (Outcome, Failure)):
                advice = 'it returns apply(), skip("reason") or reject("code", "why")'
                raise TypeError(f"the handler returned a {type(answer).__name__}; {advice}")
            return answer


class _Told:
    """Tells an exception before it ends as a trap without words: this line is what the dead letter says of it."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or isinstance(error, Failure):
            return
        text, fields = told(error)
        log.write("error", text, fields)


def _reader(handle, names):
    """What turns the `config` table into settings: the dataclass that `handle` names as its second parameter's type."""
    hint = typing.get_type_hints(handle).get(names[1]) if len(names) == 2 else None
    if dataclasses.is_dataclass(hint):
        return lambda table: read(hint, table, strict=True)
    return lambda table: table


def _source():
    """The source of all modules that came from the plugin's own folder, which is there while the component is built."""
    files = sorted({getattr(module, "__file__", None) or "" for module in list(sys.modules.values())})
    texts = []
    for path in files:
        if path.startswith("/0/"):
            with open(path, "rb") as file:
                texts.append(file.read())
    return b"\0".join(texts)


def _take_logging():
    """Lines of the module `logging` go to the host, if the plugin says nothing else."""
    root = logging.getLogger()
    if root.handlers:
        return

    class Lines(logging.Handler):
        def emit(self, record):
            levels = [(logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug")]
            level = next((name for least, name in levels if record.levelno >= least), "trace")
            log.write(level, record.getMessage(), {"logger": record.name})

    root.addHandler(Lines())
    if root.level == logging.WARNING:
        root.setLevel(logging.INFO)
