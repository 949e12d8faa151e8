"""An uncaught exception as one text for a dead letter: what it says, and where it was.

The module `traceback` looks into files, of which a component has none; so the frames are walked by hand.
"""

from forebay_plugin.host import shown

FRAMES_MAX = 12


def told(error):
    """Returns the text, and the file and line where it was raised."""
    frames = _frames(error.__traceback__)
    own = [frame for frame in frames if not frame[0].startswith("forebay_plugin/")] or frames
    at, fields = "", {}
    if own:
        file, line, _ = own[0]
        at, fields = f" at {file}:{line}", {"file": file, "line": line}
    trail = "".join(f"\n  at {name} ({file}:{line})" for file, line, name in own[:FRAMES_MAX])
    return f"uncaught{at}: {_words(error)}{trail}", fields


def _frames(trace):
    """File, line and function, the innermost first."""
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append((_file(code.co_filename), trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return frames[::-1]


def _file(path):
    """Folders of the build are numbered in a component: `/0/` is the plugin's own."""
    head, _, tail = path.lstrip("/").partition("/")
    return tail if head.isdigit() else path


def _words(error):
    said = shown(error)
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    cause = error.__cause__
    return text if cause is None else f"{text}; caused by {_words(cause)}"
