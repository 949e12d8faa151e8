"""Between the SDK's values and those of the generated bindings."""

from componentize_py_types import Err
from forebay_plugin import host
from forebay_plugin.failure import Failure
from forebay_plugin.message import Message
from forebay_plugin.outcome import Outcome, Row
from wit_world.imports import log, metrics, types

_EFFECTS = {
    "upsert": types.Effect_Upsert,
    "insert": types.Effect_Insert,
    "update": types.Effect_Update,
    "add": types.Effect_Add,
    "delete": types.Effect_Delete,
    "publish": types.Effect_Publish,
}
_VALUES = {
    "boolean": types.Value_Boolean,
    "integer": types.Value_Integer,
    "float": types.Value_Float,
    "text": types.Value_Text,
    "bytes": types.Value_Bytes,
    "timestamp-micros": types.Value_TimestampMicros,
}
_LEVELS = {level.name.lower(): level for level in log.Level}


class _Host:
    def write(self, level, message, fields):
        log.write(_LEVELS[level], message, fields)

    def count(self, name, delta):
        metrics.count(name, delta)

    def observe(self, name, value):
        metrics.observe(name, value)


def init(served, config):
    host.use(_Host())
    try:
        served.init(config)
    except Failure as failure:
        raise Err(_failure(failure)) from None


def handle(served, raw):
    headers = [(header.name, header.value) for header in raw.headers]
    place = {"partition": raw.partition, "offset": raw.offset, "timestamp_ms": raw.timestamp_ms}
    message = Message(raw.topic, key=raw.key, value=raw.value, headers=headers, metadata=raw.metadata, **place)
    answer = served.handle(message)
    if isinstance(answer, Failure):
        return types.Outcome_Reject(_failure(answer))
    if answer.skipped is not None:
        return types.Outcome_Skip(answer.skipped)
    return types.Outcome_Ok([_EFFECTS[name](_effect(what)) for name, what in answer.effects])


def _effect(what):
    if isinstance(what, Row):
        return types.Row(what.target, [types.Column(name, _value(*what.columns[name])) for name in what.columns])
    headers = [types.Header(name, value) for name, value in what.headers]
    return types.Publish(what.target, what.key, what.value, headers, [])


def _value(tag, value):
    return types.Value_Null() if tag == "null" else _VALUES[tag](value)


def _failure(failure):
    return types.Failure(host.shown(failure.code), host.shown(failure.message))
