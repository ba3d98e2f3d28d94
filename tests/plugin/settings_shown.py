"""A line for a mini-suite's module: `show(name, call_value)` prints a setting and where it came from."""

SHOW = """
from pytest_unlearn.core.settings import resolve
def show(name, call=None):
    s = resolve(name, call)
    print(f"[{name}={s.value!r} from {s.source}]")
"""
