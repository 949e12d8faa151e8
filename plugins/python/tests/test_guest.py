import unittest
from types import SimpleNamespace

from forebay_plugin import Failure, Message, apply, host, metrics, reject
from forebay_plugin.guest.serve import Served
from forebay_plugin.guest.trouble import told
from test_message import Line


class Recorder:
    def __init__(self):
        self.lines = []
        self.counts = []

    def write(self, level, message, fields):
        self.lines.append((level, message, fields))

    def count(self, name, delta):
        self.counts.append((name, delta))


class TestServed(unittest.TestCase):
    def setUp(self):
        self.recorder = Recorder()
        self.addCleanup(host.use, host.current)
        host.use(self.recorder)

    def test_settings_are_read_as_the_handlers_own_type(self):
        def handle(message: Message, settings: Line):
            return apply().upsert("t", n=settings.count)

        served = Served(SimpleNamespace(handle=handle))
        served.init('{"sku": "s", "count": 3}')
        self.assertEqual(served.handle(Message("t")), apply().upsert("t", n=3))
        with self.assertRaises(Failure) as caught:
            served.init('{"sku": "s"}')
        self.assertEqual(caught.exception.code, "bad-config")

    def test_init_makes_of_the_settings_what_the_handler_gets(self):
        served = Served(SimpleNamespace(init=lambda table: table["a"], handle=lambda message, state: reject("n", state)))
        served.init('{"a": "b"}')
        self.assertEqual(served.handle(Message("t")), reject("n", "b"))

    def test_a_raised_failure_is_the_answer(self):
        def handle(message):
            raise reject("a", "b")

        self.assertEqual(Served(SimpleNamespace(handle=handle)).handle(Message("t")), reject("a", "b"))

    def test_another_exception_is_told_with_its_place_and_goes_on(self):
        def handle(message):
            return {}["gone"]

        served = Served(SimpleNamespace(handle=handle))
        with self.assertRaises(KeyError):
            served.handle(Message("t"))
        [(level, text, fields)] = self.recorder.lines
        self.assertEqual(level, "error")
        self.assertRegex(text, r"^uncaught at .*test_guest\.py:\d+: KeyError: 'gone'\n  at handle \(")
        self.assertEqual([name for name, _ in fields], ["file", "line"])

    def test_an_answer_that_is_none_is_told(self):
        with self.assertRaisesRegex(TypeError, "returned a NoneType; it returns apply"):
            Served(SimpleNamespace(handle=lambda message: None)).handle(Message("t"))
        with self.assertRaisesRegex(TypeError, "no function `handle`"):
            Served(SimpleNamespace())

    def test_folders_of_the_build_are_not_told(self):
        code = compile("\n\nraise ValueError('x')", "/0/inner/rules.py", "exec")
        try:
            exec(code, {})
        except ValueError as error:
            text, fields = told(error)
        self.assertEqual(fields, {"file": "inner/rules.py", "line": 3})
        self.assertTrue(text.startswith("uncaught at inner/rules.py:3: ValueError: x\n"), text)

    def test_a_counter_grows_only(self):
        metrics.count("a")
        self.assertEqual(self.recorder.counts, [("a", 1)])
        with self.assertRaises(ValueError):
            metrics.count("a", -1)
