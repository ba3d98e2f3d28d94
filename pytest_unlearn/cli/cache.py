"""List, verify, prune or purge what is kept of trained models."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_unlearn.cli.console import BLOCKED, FINE, Unusable, one_line, plural, say
from pytest_unlearn.core.folders import LocalFolder, folder_of

if TYPE_CHECKING:
    from pytest_unlearn.training import Store

DAY = 24 * 60 * 60
UNUSED_DAYS = 30


@dataclass(frozen=True)
class CacheFault:
    """Name what of a model should go, and why: all of it, or only the named files."""

    key: str
    text: str
    names: tuple[str, ...] = ()


def add(commands: Any) -> None:
    """Add `cache` and its actions to the command line."""
    command = commands.add_parser(
        "cache",
        help="list, verify, prune or purge the models that audits keep",
        description="The trained models that audits keep, so that nothing is trained twice. They may have seen the "
        "data that were to be deleted: purge removes them.",
    )
    actions = command.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    for name, run, text in (
        ("list", show, "one line a model, and how much space they take"),
        ("verify", verify, "check every byte; exit status 1 if anything is damaged or left over"),
        ("prune", prune, "remove damaged models, leftovers, and models that were not used for some time"),
        ("purge", purge, "remove every model"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        action.add_argument(
            "--cache-dir", metavar="DIR", help="the folder, or its URL (default: .unlearn/cache in the root directory)"
        )
        action.add_argument(
            "--rootdir", type=Path, default=Path(), metavar="DIR", help="pytest's root directory (default: here)"
        )
        action.set_defaults(run=run)
        if name == "prune":
            text = "remove models unused for N days (%(default)s)"
            action.add_argument("--days", type=_days, default=UNUSED_DAYS, metavar="N", help=text)
            action.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
        if name == "purge":
            action.add_argument("--yes", action="store_true", help="accepted and not needed: nothing is asked")


def show(options: argparse.Namespace) -> int:
    """List the models."""
    store = _store(options)
    entries = store.entries()
    if not entries:
        say(f"no models are cached in {store.folder}")
        return FINE
    say(f"{'key':<12}  {'kind':<11}  {'size':>9}  {'seed':>6}  {'seconds':>8}  {'stored':<10}  last used")
    for entry in entries:
        seed, seconds = (_noted(entry.info, name) for name in ("seed", "seconds"))
        row = f"{entry.key[:12]:<12}  {entry.kind:<11}  {size(entry.size):>9}  {seed:>6}  {seconds:>8}"
        say(f"{row}  {_date(entry.stored)}  {_date(entry.used)}")
    say(f"{plural(len(entries), 'model')}, {size(sum(entry.size for entry in entries))}")
    return FINE


def verify(options: argparse.Namespace) -> int:
    """Check every model's bytes and seal."""
    store = _store(options)
    found = faults(store)
    for fault in found:
        say(fault.text)
    whole = {entry.key for entry in store.entries()} - {fault.key for fault in found if not fault.names}
    if not whole and not found:
        say(f"no models are cached in {store.folder}")
    else:
        say(f"{plural(len(whole), 'model')} whole, {plural(len(found), 'fault')}")
    return BLOCKED if found else FINE


def prune(options: argparse.Namespace) -> int:
    """Remove what is damaged, left over or has not been used for some time."""
    store = _store(options)
    before = time.time() - options.days * DAY
    unwanted = {fault.key: fault for fault in faults(store)}
    for entry in store.entries():
        if entry.used <= before:
            text = f"unused {entry.key[:12]}: last used {_date(entry.used)}"
            unwanted[entry.key] = CacheFault(entry.key, text)
    if not unwanted:
        say(f"nothing to remove in {store.folder}")
    for fault in unwanted.values():
        say(f"would remove: {fault.text}" if options.dry_run else fault.text)
    if options.dry_run:
        return FINE
    size_before = footprint(store)
    kept = {key for key, fault in unwanted.items() if not store.discard(key, fault.names)}
    for key in kept:
        say(f"kept {key[:12]}: another process is working on it")
    for key in _idle_locks(store):
        store.discard(key)
    if unwanted:
        say(f"{size(size_before - footprint(store))} freed")
    return _remaining(store, [fault for key, fault in unwanted.items() if key not in kept])


def purge(options: argparse.Namespace) -> int:
    """Remove every model, and what killed runs left of reports."""
    from pytest_unlearn.core.array_memory import forget_all
    from pytest_unlearn.report.write import remove_abandoned

    store = _store(options)
    if stages := remove_abandoned(options.rootdir / ".unlearn" / "report"):
        say(f"{plural(stages, 'unfinished report')} of killed runs removed")
    if not store.files() and not store.entries():
        if found := forget_all(store.directory):
            say(f"{plural(found, 'array')} that were remembered removed")
        say(f"no models are cached in {store.folder}")
        return FINE
    keys = {key for _, key in store.files()} | {entry.key for entry in store.entries()}
    size_before, everything = footprint(store), [CacheFault(key, "") for key in keys]
    try:
        removed = store.purge()
    except OSError as error:
        say(f"the models could not be removed: {one_line(error)}")
        return BLOCKED
    say(f"{plural(removed, 'model')} removed, {size(size_before - footprint(store))} freed")
    return _remaining(store, everything)


def faults(store: Store) -> list[CacheFault]:
    """List what is damaged or left over, and no other process is writing."""
    names: dict[str, list[str]] = {entry.key: [] for entry in store.entries()}
    for name, key in store.files():
        if not name.endswith(".lock") or store.folder.kind(name):
            names.setdefault(key, []).append(name)
    return [fault for key in sorted(names) if (fault := _fault(store, key, names[key])) and not _busy(store, key)]


def _fault(store: Store, key: str, names: list[str]) -> CacheFault | None:
    kinds = {name: kind for name in names if (kind := store.folder.kind(name))}
    if kinds:
        said = ", ".join(f"{name} is {kind}" for name, kind in kinds.items())
        return CacheFault(key, f"{said}, where a file belongs", tuple(kinds))
    if all(name.endswith(".tmp") for name in names) and names:
        return CacheFault(key, f"leftover {', '.join(names)}: an interrupted writer left it", tuple(names))
    try:
        entry = store.examine(key)
    except Exception as error:  # whatever a parser raises on bytes that anyone may have written
        return CacheFault(key, f"damaged {key[:12]}: {one_line(error)}")
    rest = [name for name in names if name not in (f"{key}.json", store.payload_of(entry))]
    text = f"leftover {', '.join(rest)}: it is no part of the model {key[:12]}"
    return CacheFault(key, text, tuple(rest)) if rest else None


def _busy(store: Store, key: str) -> bool:
    """Tell whether another process holds the lock; none is made for the question."""
    if store.folder.alone and not store.folder.holds(f"{key}.lock"):
        return False
    with store.lock(key, wait=False) as ours:
        return not ours


def _idle_locks(store: Store) -> list[str]:
    """List keys that have only a lock, as models that cannot be stored leave."""
    files = store.files()
    with_more = {key for name, key in files if not name.endswith(".lock")}
    return [key for _, key in files if key not in with_more and not _busy(store, key)]


def _remaining(store: Store, removed: Iterable[CacheFault]) -> int:
    """Say what is still there of what was to be removed."""
    files = [(name, key) for name, key in store.files() if not name.endswith(".lock")]
    files += [(f"{entry.key}.json", entry.key) for entry in store.entries()]
    names = {fault.key: fault.names for fault in removed}
    left = sorted({name for name, key in files if key in names and (not names[key] or name in names[key])})
    for name in left:
        say(f"{name} could not be removed: check the permissions of {store.folder}")
    return BLOCKED if left else FINE


def footprint(store: Store) -> int:
    """Count the bytes that the files of models take, whole or not."""
    names = {name for name, _ in store.files()}
    for entry in store.entries():
        names |= {f"{entry.key}.json", store.payload_of(entry)}
    return sum(map(store.folder.size, names))


def size(count: int) -> str:
    """Put a number of bytes in words."""
    if count < 1000:
        return f"{count} B"
    return next(f"{count / unit:.1f} {name}" for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if count >= unit)


def _store(options: argparse.Namespace) -> Store:
    from pytest_unlearn.training import Store

    try:
        folder = folder_of(options.cache_dir or options.rootdir / ".unlearn" / "cache")
    except ValueError as error:
        raise Unusable(one_line(error)) from error
    if isinstance(folder, LocalFolder) and folder.path.exists() and not folder.path.is_dir():
        raise Unusable(f"{folder} is not a folder: give the one that models are kept in as --cache-dir")
    store = Store(folder.place)
    try:
        store.files()
    except OSError as error:
        raise Unusable(one_line(error)) from error
    return store


def _noted(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    return f"{value:g}" if isinstance(value, (int, float)) else "-"


def _date(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of days from 0, not {text!r}")
    return days
