"""Write a Forebay handler in Python: one function of one message. README.md tells how."""

from forebay_plugin import log, metrics
from forebay_plugin.failure import Failure, reject
from forebay_plugin.message import Message
from forebay_plugin.outcome import Outcome, apply, skip
from forebay_plugin.reading import read
from forebay_plugin.value import json

__all__ = ["Failure", "Message", "Outcome", "apply", "json", "log", "metrics", "read", "reject", "skip"]
