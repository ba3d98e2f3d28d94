"""Draw what each choice of controls makes of honest models and of leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

MODELS = {"honest": "#2f6f9f", "leaky": "#c8553d"}
SHOWN = {"honest": "a model that never saw the request", "leaky": "one that leaks an AUC of .70"}


def draw(means: Mapping[tuple[str, str, str], Sequence[float]], limit: float, path: Path) -> None:
    """Draw the AUCs of each draw, by shift, choice and model."""
    shifts, choices = (list(dict.fromkeys(key[part] for key in means)) for part in (0, 1))
    with mpl.rc_context({"svg.hashsalt": "shift", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        panels = figure.subplots(1, len(shifts), sharey=True, squeeze=False)[0]
        for panel, shift in zip(panels, shifts, strict=True):
            panel.axvspan(1 - limit, limit, color="#dddddd", lw=0)
            panel.axvline(0.5, color="#888888", lw=0.8)
            for model, colour in MODELS.items():
                for line, choice in enumerate(choices):
                    found = means.get((shift, choice, model), ())
                    off = 0.12 if model == "honest" else -0.12
                    panel.plot(found, [-line + off] * len(found), "o", ms=3, alpha=0.6, color=colour, mew=0)
            panel.set(title=shift, xlim=(0, 1), xticks=(0.1, 0.5, 0.9), yticks=[-n for n in range(len(choices))])
            panel.set_yticklabels(choices)
            panel.tick_params(length=0)
            for side in ("top", "right", "left"):
                panel.spines[side].set_visible(False)
        handles = [panels[0].plot([], [], "o", ms=4, color=colour, label=SHOWN[m])[0] for m, colour in MODELS.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
