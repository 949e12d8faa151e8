"""The clock of a component: the message's timestamp. It stands still while a message is handled."""

import datetime as _datetime
import gc
import time as _time

_EPOCH = _datetime.datetime(1970, 1, 1, tzinfo=_datetime.timezone.utc)
_UNKNOWN = "a handler has no clock of its own, and"
_now = None
_why = f"{_UNKNOWN} there is no message yet: ask for the time in handle()"


def set(message):
    """Sets the clock for a message."""
    global _now, _why
    _now = message.timestamp_ms
    _why = f"{_UNKNOWN} this message has no timestamp: see message.timestamp, which is None here"


def millis():
    """Returns the time, or fails with what to do."""
    if _now is None:
        raise RuntimeError(_why)
    return _now


def _moment():
    return _EPOCH + _datetime.timedelta(milliseconds=millis())


def _now_of(cls, tz=None):
    if tz is None:
        return cls.fromisoformat(_moment().replace(tzinfo=None).isoformat())
    return cls.fromisoformat(_moment().isoformat()).astimezone(tz)


def _today(cls):
    moment = _moment()
    return cls(moment.year, moment.month, moment.day)


def _absent(name, advice):
    def fail(*_args, **_options):
        raise RuntimeError(f"there is no time.{name} in a component; {advice}")

    return fail


def _broken_down(of):
    return lambda seconds=None: of(millis() / 1000 if seconds is None else seconds)


def _replace(kind, methods):
    """Gives a class that is written in C other methods: its own dictionary is where they are looked up."""
    own = gc.get_referents(kind.__dict__)[0]
    for name, method in methods.items():
        own[name] = classmethod(method)
    for name, method in methods.items():
        if getattr(kind, name).__func__ is not method:
            raise RuntimeError(f"{kind.__name__}.{name} can not be replaced in this version of Python")


def install():
    """Puts this clock in the place of the machine's."""
    utc = _broken_down(_time.gmtime)
    strftime, asctime = _time.strftime, _time.asctime
    _time.time = lambda: millis() / 1000
    _time.time_ns = lambda: millis() * 1_000_000
    _time.gmtime = _time.localtime = utc
    _time.strftime = lambda form, given=None: strftime(form, utc() if given is None else given)
    _time.asctime = lambda given=None: asctime(utc() if given is None else given)
    _time.ctime = lambda seconds=None: asctime(utc(seconds))
    _time.sleep = _absent("sleep", "a handler answers at once, and Forebay does the waiting")
    for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns"):
        setattr(_time, name, _absent(name, "message.timestamp is the only clock"))
    for name in ("thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns"):
        setattr(_time, name, _absent(name, "message.timestamp is the only clock"))
    _replace(_datetime.datetime, {"now": _now_of, "today": lambda cls: _now_of(cls), "utcnow": lambda cls: _now_of(cls)})
    _replace(_datetime.date, {"today": _today})
