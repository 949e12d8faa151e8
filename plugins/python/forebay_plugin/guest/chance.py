"""The randomness of a component: the same numbers whenever the same message meets the same handler."""

import hashlib
import os
import random
import uuid

_digest = ""
_seed = None
_is_seeded = False
_own = random._inst
_seed_of = random.Random.seed


def begin(source):
    """Says which handler it is, by its source."""
    global _digest
    _digest = hashlib.sha256(source).hexdigest()


def set(message):
    """Begins the numbers of a message."""
    global _seed, _is_seeded
    _seed = f"{_digest}\n{message.topic}\n{message.partition}\n{message.offset}"
    _is_seeded = False


def _ready():
    """The generator, seeded when it is first asked for: most messages do not ask."""
    global _is_seeded
    if not _is_seeded:
        if _seed is None:
            raise RuntimeError("random numbers have a seed for each message, and there is no message yet: ask in handle()")
        _seed_of(_own, _seed)
        _is_seeded = True
    return _own


def _seeded(name):
    def call(*args, **options):
        return getattr(_ready(), name)(*args, **options)

    call.__name__ = name
    return call


def _seed_by_hand(*args, **options):
    """`random.seed(x)` holds until the next message; without a seed it begins the message's numbers anew."""
    global _is_seeded
    _is_seeded = bool(args or options)
    if _is_seeded:
        _seed_of(_own, *args, **options)


def _uuid4():
    return uuid.UUID(int=_ready().getrandbits(128), version=4)


def _absent(name):
    def fail(*_args, **_options):
        advice = "random and uuid.uuid4() have a seed for each message, and topic, partition and offset name it"
        raise RuntimeError(f"there is no {name} in a component, because nothing in it is secret; {advice}")

    return fail


def _new(cls, *_args, **_options):
    """A generator that is made without a seed goes on where the message's numbers are; see `_begin`."""
    return super(random.Random, cls).__new__(cls, 0)


def _begin(self, a=None, version=2):
    _seed_of(self, _ready().getrandbits(128) if a is None else a, version)


def install():
    """Puts this randomness in the place of the machine's."""
    for name in random.__all__:
        if getattr(getattr(random, name), "__self__", None) is _own:
            setattr(random, name, _seeded(name))
    random.seed = _seed_by_hand
    random.Random.__new__ = _new
    random.Random.seed = _begin
    os.urandom = random._urandom = _absent("os.urandom")
    os.getrandom = _absent("os.getrandom")
    uuid.uuid4 = _uuid4
    uuid.uuid1 = _absent("uuid.uuid1")
