"""What a component does not have says so and names what there is instead.

Imported before anything of the plugin's. What is imported here is there in every handler, also where the standard library
would import it later and by itself.
"""

import _strptime  # noqa: F401  for datetime.strptime
import base64  # noqa: F401
import binascii  # noqa: F401
import builtins
import calendar  # noqa: F401
import collections  # noqa: F401
import contextlib  # noqa: F401
import copy  # noqa: F401
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import decimal  # noqa: F401
import encodings.ascii  # noqa: F401
import encodings.cp1252  # noqa: F401
import encodings.idna  # noqa: F401
import encodings.latin_1  # noqa: F401
import encodings.utf_8_sig  # noqa: F401
import encodings.utf_16  # noqa: F401
import encodings.utf_16_be  # noqa: F401
import encodings.utf_16_le  # noqa: F401
import enum  # noqa: F401
import functools  # noqa: F401
import hashlib  # noqa: F401
import hmac  # noqa: F401
import io
import itertools  # noqa: F401
import json  # noqa: F401
import linecache
import logging
import math  # noqa: F401
import numbers  # noqa: F401
import operator  # noqa: F401
import os
import re  # noqa: F401
import string  # noqa: F401
import struct  # noqa: F401
import sys
import textwrap  # noqa: F401
import tokenize  # noqa: F401
import traceback  # noqa: F401
import typing  # noqa: F401
import unicodedata  # noqa: F401
import urllib.parse  # noqa: F401
import uuid  # noqa: F401
import warnings

from forebay_plugin import host, log
from forebay_plugin.guest import chance, clock

# It asks for the time when it is imported.
logging._startTime = 0
clock.install()
chance.install()


#: Functions of `os` that would look for a file or another process.
_OS = (
    "access chdir chmod close dup execv execve fork fsync getcwd getcwdb kill link listdir lseek lstat mkdir open pipe popen "
    "posix_spawn read readlink remove rename replace rmdir scandir sendfile stat statvfs symlink system truncate unlink utime "
    "waitpid write"
).split()


class _Lines(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, write):
        super().__init__()
        self._write = write
        self._rest = ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._write(line)
        return len(text)


class _NoFiles:
    """Finds no module: they were all imported when the component was built."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        advice = "import it at the top of handler.py, where it is taken along"
        raise ModuleNotFoundError(f"`{name}` is imported while a message is handled; {advice}", name=name)


def _no_files(*_args, **_options):
    raise RuntimeError("there are no files and no processes in a component; settings are the second argument of handle()")


def _warn(message, category, filename, lineno, file=None, line=None):
    log.warn(f"{category.__name__}: {message}", file=filename, line=lineno)


def close():
    """Ends the build: from here on there are no files, and what is printed goes to the log."""
    sys.stdout, sys.stderr = _Lines(log.info), _Lines(log.warn)
    warnings.showwarning = _warn
    warnings._showwarnmsg_impl = lambda shown: _warn(shown.message, shown.category, shown.filename, shown.lineno)
    builtins.open = io.open = _no_files
    builtins.input = _no_files
    for name in _OS:
        if hasattr(os, name):
            setattr(os, name, _no_files)
    linecache.updatecache = lambda *_args, **_options: []
    sys.meta_path[:] = [_NoFiles]
    # An exception that nobody caught was told already.
    sys.excepthook = lambda *_error: None
    host.use(_Silent())


class _Silent:
    """Before the first call there is nobody to tell."""

    def write(self, level, message, fields):
        pass

    def count(self, name, delta):
        pass

    def observe(self, name, value):
        pass
