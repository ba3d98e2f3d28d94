"""Choose the services that a run is logged to, and never wait for one for ever.

A service that fails changes no verdict. It is said and, because it was asked for, fails the run.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence

from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.report.tracking import to_mlflow, to_wandb
from pytest_unlearn.report.tracking.record import Logged

CLIENTS = {"mlflow": ("mlflow", "mlflow or mlflow-skinny"), "wandb": ("wandb", "wandb")}
LONGEST_WAIT = 180.0  # seconds that one service may take
LONGEST_REASON = 500


def missing(services: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each service without an installed client."""
    for service in services:
        module, packages = CLIENTS[service]
        if importlib.util.find_spec(module) is None:
            yield f"--unlearn-log={service} needs its client: install {packages}"


def log(service: str, logged: Logged, model: str = "", seconds: float = LONGEST_WAIT) -> tuple[str, str]:
    """Log a run to a service; return where, or else why not.

    Args:
        service: a name of `CLIENTS`.
        logged: what to log.
        model: the registered model that it is about, if any, as the service names it.
        seconds: how long to wait.
    """
    run_id = to_mlflow.active_run() if service == "mlflow" else ""  # active in this thread, not in the next
    tasks: dict[str, Callable[[], str]] = {
        "mlflow": lambda: to_mlflow.log(logged, run_id, model),
        "wandb": lambda: to_wandb.log(logged, model),
    }
    done: list[str] = []
    failed: list[str] = []

    def work() -> None:
        try:
            done.append(tasks[service]())
        except BaseException as error:  # a client may raise anything, SystemExit included
            failed.append(str(error) or type(error).__name__)

    thread = threading.Thread(target=work, name=f"unlearn-log-{service}", daemon=True)
    thread.start()
    thread.join(seconds)
    if done:
        return done[0], ""
    reason = failed[0] if failed else f"it did not answer within {seconds:.0f} seconds"
    return (
        "",
        f"the run could not be logged to {service}: {printable(shortened(' '.join(reason.split()), LONGEST_REASON))}",
    )
