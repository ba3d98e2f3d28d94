"""Hold every setting in one table, and find where its value came from.

Precedence: call keyword > marker > command line > ini > default. The source travels with the value because a command
line that loosens a gate must be visible in the evidence. Standard library only; pytest's side is in plugin/hooks.py.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

from pytest_unlearn.core import claim_limit, recorder
from pytest_unlearn.core.claim_limit import Limit
from pytest_unlearn.core.order import POLICY_NAMES

Source = Literal["call keyword", "marker", "command line", "ini", "default"]
Layers = Mapping[str, Mapping[str, Any]]


class Setting(NamedTuple):
    """Hold a value and where it came from."""

    value: Any
    source: Source


class Default(float):
    """Mark a float as a default, to tell it from the same value of a caller's."""


class DefaultFlag(int):
    """Mark True or False as a default (bool cannot be subclassed)."""

    def __repr__(self) -> str:
        return repr(bool(self))

    __str__ = __repr__


class DefaultText(str):
    """Mark text as a default."""

    __slots__ = ()


class Spec(NamedTuple):
    """Describe one row of the table.

    `valid` and `rule` are the check and its wording. `flag` is whether there is a command-line option, `ini` whether
    there is an ini twin, `marker` whether one test may have its own value through `@pytest.mark.unlearn`.
    """

    name: str
    kind: type
    default: Any
    help: str
    valid: Callable[[Any], bool] = lambda _: True
    rule: str = ""
    flag: bool = False
    ini: bool = True
    marker: bool = False

    @property
    def option(self) -> str:
        """Return the command-line option's name."""
        return "--unlearn-" + self.name.replace("_", "-")

    @property
    def ini_name(self) -> str:
        """Return the ini option's name."""
        return "unlearn_" + self.name

    def parse(self, value: Any) -> Any:
        """Convert and check a value; a ValueError says what would be accepted."""
        try:
            parsed = self._convert(value)
            if parsed is not None and self.valid(parsed):
                return parsed
        except (TypeError, ValueError, OverflowError):
            pass
        rule = self.rule or {int: "a whole number", bool: "true or false"}.get(self.kind, f"a {self.kind.__name__}")
        raise ValueError(f"{self.name} must be {rule}, not {value!r}")

    def check_type(self, value: Any) -> None:
        """Refuse text for a number, and True or False for one, from a caller.

        Raises:
            ValueError: the value is of such a type.
        """
        if isinstance(value, str) != (self.kind is str) or (isinstance(value, bool) and self.kind in (int, float)):
            rule = self.rule or ("True or False" if self.kind is bool else "a number")
            raise ValueError(f"{self.name} must be {rule}, not {value!r}")

    def _convert(self, value: Any) -> Any:
        if isinstance(value, str):
            # Text comes from the command line or from an ini file; `bool("false")` would be True.
            return {"true": True, "false": False}.get(value.lower()) if self.kind is bool else self.kind(value)
        if self.kind is str or (self.kind is not float and int(value) != value):
            return None
        if self.kind is bool and value not in (0, 1):
            return None
        return self.kind(value)


def limit_spec(limit: Limit, default: float | None, about: str) -> Spec:
    """Make the row of a setting that limits claims: the claim table has its range."""
    return Spec(limit.setting, float, default, about, limit.range.holds, str(limit.range), marker=True)


UNITS = {"d": 86_400, "h": 3_600, "m": 60}


def age_seconds(text: str) -> int:
    """Read an age such as 7d, 12h or 30m, in seconds.

    Raises:
        ValueError: it is none, or 0.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([dhm])", text)
    if found is None:
        raise ValueError(f"an age is a number of days, hours or minutes, such as 7d, 12h or 30m, not {text!r}")
    return int(found[1]) * UNITS[found[2]]


def names_in(value: str) -> set[str]:
    """Return names with commas between them."""
    return {name.strip().lower() for name in value.split(",") if name.strip()}


def accepted_runs(text: str) -> tuple[str, ...]:
    """Read names of runs, with commas or spaces between them.

    Raises:
        ValueError: one of them is none that a history gives.
    """
    found = tuple(text.replace(",", " ").split())
    wrong = next((name for name in found if not re.fullmatch("[0-9a-f]{12}", name)), None)
    if wrong is not None:
        raise ValueError(
            f"a run is named by twelve hexadecimal digits, as the history and the gate name it, not {wrong!r}"
        )
    return found


SERVICES = ("mlflow", "wandb")


def services(text: str) -> tuple[str, ...]:
    """Read names of tracking services, with commas or spaces between them.

    Raises:
        ValueError: there is none of that name.
    """
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    wrong = next((name for name in found if name not in SERVICES), None)
    if wrong is not None:
        raise ValueError(f"runs can be logged to {' and '.join(SERVICES)}, not to {wrong!r}")
    return found


INCONCLUSIVE_MODES = ("fail", "xfail", "warn")

NAMED: Any = {"valid": lambda v: bool(v.strip()), "rule": "a text that is not empty"}
FROM_CI = "else of the environment: $UNLEARN_..., GitHub's, GitLab's or Jenkins'"

ACCESS = ("labels", "scores", "weights")
AS_DECLARED = "stands in annex and attestation as declared; else $UNLEARN_..."
CONCLUSIONS = re.compile(r"\b(erased|erasure is complete|anonym\w*|complian\w*)\b", re.IGNORECASE)
DECLARED: Any = {
    "valid": lambda v: bool(v.strip()) and not CONCLUSIONS.search(v),
    "rule": "a text that says what is kept or done, and until when, without a conclusion that no audit bears out "
    "(erased, anonymous, compliant)",
}

TABLE = {
    spec.name: spec
    for spec in (
        limit_spec(claim_limit.AUC, 0.55, "largest tolerated membership-inference AUC of the forget set"),
        limit_spec(claim_limit.DROP, 0.02, "largest tolerated drop in accuracy"),
        limit_spec(claim_limit.GAP, 0.05, "largest tolerated gap to the retrained references"),
        limit_spec(claim_limit.RELEARNING, 1.3, "how many times larger or smaller than retrained models' the area "
                   "under the relearning curve may be"),
        limit_spec(claim_limit.RATIO, 0.75, "smallest tolerated forgetting quality relative to retrained models"),
        limit_spec(claim_limit.EXTRACTION, 0.001, "largest tolerated probability that a document is extracted"),
        limit_spec(claim_limit.REDUCTION, 0.5, "smallest share of what the original showed that has to be gone"),
        Spec("max_share_left", float, 0.5, "largest share of what the original showed that PASS may leave",
             lambda v: 0 < v < 1, "a number above 0 and below 1", marker=True),
        Spec("confidence", float, 0.95, "one-sided confidence of every bound",
             lambda v: 0.5 < v < 1, "a number above 0.5 and below 1", marker=True),
        Spec("require_controls", bool, True, "without both controls a verdict is INCONCLUSIVE at best", marker=True),
        limit_spec(claim_limit.FRACTION, 0.2, "largest tolerated time of the method as a fraction of retraining"),
        Spec("inconclusive", str, "fail", "what an INCONCLUSIVE verdict does to its test: fail, xfail or warn",
             lambda v: v in INCONCLUSIVE_MODES, "fail, xfail or warn", flag=True, marker=True),
        Spec("seed", int, 0, "seed of the reference trainings and of the unlearner",
             lambda v: v >= 0, "a whole number from 0", flag=True),
        Spec("jobs", int, 1, "how many references are trained at once",
             lambda v: v == -1 or v >= 1, "a whole number from 1, or -1 for all cores", flag=True),
        Spec("backend", str, None, "joblib backend that models are trained on, such as dask",
             lambda v: bool(v.strip()), "the name of a joblib backend, such as dask", flag=True),
        Spec("scheduler", str, None, "address of the cluster's scheduler, such as tcp://10.0.0.1:8786",
             lambda v: bool(v.strip()), "an address, such as tcp://10.0.0.1:8786", flag=True),
        Spec("device", str, None, "device that models run on, such as cpu or cuda:0",
             lambda v: bool(v.strip()), "the name of a device, such as cpu or cuda:0", flag=True),
        Spec("references", int, 4, "how many reference models are retrained",
             lambda v: v >= 0, "a whole number from 0"),
        Spec("shadow_models", int, 16, "how many models `attacks=\"online\"` trains with halves of the request",
             lambda v: v >= 4 and v % 2 == 0, "an even number from 4"),
        Spec("cache", str, ".unlearn/cache", "where trained models are kept: a folder, relative to the root "
             "directory, or a URL as fsspec takes it, such as s3://bucket/cache",
             lambda v: bool(v.strip()), "a path or a URL", flag=True),
        Spec("fresh", bool, False, "ignore the cache and train again", flag=True, ini=False),
        Spec("report", bool, False, "write index.html, report.json, report.md, scores.json, attestation.json",
             flag=True),
        Spec("report_thumbnails", bool, False, "show the most exposed forget examples as small images in index.html; "
             "by default the report names them by index only", flag=True),
        Spec("report_dir", str, ".unlearn/report", "directory of the report, relative to the root directory",
             lambda v: bool(v.strip()), "a path", flag=True),
        Spec("store_scores", bool, True, "store the scores of each claim beside the report (numbers by position, no "
             "data), for `python -m pytest_unlearn verify`", flag=True, marker=True),
        Spec("gate", bool, False, "fail the run unless every claim in unlearn_require was proven", flag=True),
        Spec("policy", str, None, "release policy that the gate and `check` ask: quick, standard or thorough",
             lambda v: v in POLICY_NAMES, f"one of {', '.join(POLICY_NAMES)}"),
        Spec("max_age", str, None, "largest age of a report that `check` accepts, such as 7d, 12h or 30m",
             lambda v: age_seconds(v) > 0, "an age such as 7d, 12h or 30m"),
        Spec("project", str, None, f"name of what is released; {FROM_CI}", **NAMED),
        Spec("commit", str, None, f"commit that the candidate was made of; {FROM_CI}", **NAMED),
        Spec("ci_url", str, None, f"address of the CI run; {FROM_CI}", **NAMED),
        Spec("request", str, None, "id of the deletion request; else $UNLEARN_REQUEST", **NAMED),
        Spec("approver", str, None, "who answers for the release; else $UNLEARN_APPROVER", **NAMED),
        Spec("access", str, None, f"what callers of the released model get: labels, scores, weights; {AS_DECLARED}",
             lambda v: bool(names_in(v)) and names_in(v) <= set(ACCESS),
             "labels, scores or weights, with commas between them"),
        Spec("filters", str, None, f"what stands in front of the released model; {AS_DECLARED}", **DECLARED),
        Spec("caches", str, None, f"which caches hold answers or data, and until when; {AS_DECLARED}", **DECLARED),
        Spec("backups", str, None, f"which backups hold data or models, and until when; {AS_DECLARED}", **DECLARED),
        Spec("checkpoints", str, None, f"which checkpoints and copies of earlier models are kept; {AS_DECLARED}",
             **DECLARED),
        Spec("deadline", str, None, f"until when the request is to be answered; {AS_DECLARED}", **DECLARED),
        Spec("legal_basis", str, None, f"what the request rests on; {AS_DECLARED}", **DECLARED),
        Spec("history", str, ".unlearn/history.jsonl", "file that every run with audits is appended to, relative "
             "to the root directory; in CI a path that is kept from run to run",
             lambda v: bool(v.strip()), "a path", flag=True),
        Spec("accept_failed", str, None, "earlier runs, by name, whose FAIL of this very model is explained and does "
             "not block its release", lambda v: bool(accepted_runs(v)),
             "names of runs of the history (twelve hexadecimal digits), with commas between them", flag=True),
        Spec("log", str, None, "services that the run is logged to: mlflow, wandb, or both with a comma between them",
             lambda v: bool(services(v)), "mlflow, wandb, or both with a comma between them", flag=True),
        Spec("log_model", str, None, "the registered model that the logged run is about: NAME/VERSION or NAME@ALIAS "
             "(MLflow), NAME:VERSION (wandb)", lambda v: bool(v.strip()), "the name of a registered model", flag=True),
        Spec("junit_properties", bool, False, "add verdict, estimate and limit to each test case in --junitxml"),
    )
}  # fmt: skip

MAX_MIA_AUC = Default(TABLE["max_mia_auc"].default)
MAX_DROP = Default(TABLE["max_drop"].default)
MAX_GAP = Default(TABLE["max_gap"].default)
MAX_RELEARNING = Default(TABLE["max_relearning"].default)
MAX_FRACTION = Default(TABLE["max_fraction"].default)
MIN_RATIO = Default(TABLE["min_ratio"].default)
MIN_REDUCTION = Default(TABLE["min_reduction"].default)
MAX_PROBABILITY = Default(TABLE["max_probability"].default)
MAX_SHARE_LEFT = Default(TABLE["max_share_left"].default)
CONFIDENCE = Default(TABLE["confidence"].default)
REQUIRE_CONTROLS = cast(bool, DefaultFlag(TABLE["require_controls"].default))
INCONCLUSIVE = DefaultText(TABLE["inconclusive"].default)


def resolve(name: str, call_value: Any = None, layers: Layers | None = None) -> Setting:
    """Find the value of a setting and its source.

    `call_value` is what the caller's signature received: None or one of the `Default`s above means "not given".
    `layers` are those of the running test unless given; outside pytest there are none.
    """
    spec = TABLE[name]
    if call_value is not None and not isinstance(call_value, (Default, DefaultFlag, DefaultText)):
        spec.check_type(call_value)
        return Setting(spec.parse(call_value), "call keyword")
    if layers is None:
        running = recorder.current()
        layers = running.layers if running is not None else {}
    for source in ("marker", "command line", "ini"):
        value = layers.get(source, {}).get(name)
        if value is not None:
            return Setting(spec.parse(value), source)
    return Setting(spec.default, "default")


def argument(spec: Spec) -> Callable[[str], Any]:
    """Make the argparse type of a setting: a bad value is a usage error."""

    def parse(text: str) -> Any:
        try:
            return spec.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def marker_settings(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Check one marker's settings; a ValueError names the allowed keywords."""
    allowed = [spec.name for spec in TABLE.values() if spec.marker]
    if args or not set(kwargs) <= set(allowed):
        wrong = "no positional arguments" if args else "no " + ", ".join(sorted(set(kwargs) - set(allowed)))
        raise ValueError(f"@pytest.mark.unlearn takes {wrong}; its keywords are {', '.join(allowed)}")
    return {name: TABLE[name].parse(value) for name, value in kwargs.items()}
