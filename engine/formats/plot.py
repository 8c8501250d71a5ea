"""Plots: curves and points for reports and benchmarks, drawn by matplotlib (the extra `plot`).

Knows numbers and names; not what they mean. Draws on figures of its own, without matplotlib's
global state and without a display; the same plot gives the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError

COLOURS = ("#8a8f98", "#1f6feb", "#d1571a", "#2da44e", "#a371f7", "#bf3989", "#9a6700")
SIZE = (5.2, 3.6)
"""Inches across and down, for each plot."""
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#d0d7de",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#eaeef2",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "contrapose",
}
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Points (x, y) of each named series, drawn apart or joined in their order."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    is_line: bool


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Any]:
    """An empty figure of so many inches, in our style while the context lasts."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(plot: Plot) -> str:
    """A picture of a plot, to stand in a page of HTML; points that are not finite are left out."""
    page = svg_page([plot])
    return page[page.index("<svg") :]


def svg_page(plots: Sequence[Plot]) -> str:
    """All plots beside one another in one picture."""
    with new_figure(SIZE[0] * max(len(plots), 1), SIZE[1]) as figure:
        for number, plot in enumerate(plots, start=1):
            _draw(figure.add_subplot(1, len(plots), number), plot)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        return file.getvalue()


def _draw(axes: Any, plot: Plot) -> None:
    for index, (name, points) in enumerate(plot.series.items()):
        finite = [point for point in points if all(map(math.isfinite, point))]
        axes.plot(
            [x for x, _ in finite],
            [y for _, y in finite],
            label=name,
            color=COLOURS[index % len(COLOURS)],
            linestyle="-" if plot.is_line else "",
            linewidth=1,
            marker="o",
            markersize=3,
            alpha=1.0 if plot.is_line else 0.6,
        )
    axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
    if plot.series:
        axes.legend()


def check_plot_path(path: Path | None, suffixes: Sequence[str] = (".svg",)) -> None:
    """Better refused before the work than after it. Raises InputError."""
    if path is not None and (path.suffix.lower() not in suffixes or not path.parent.is_dir()):
        raise InputError(
            f"{path}: no plot can be written there; name a file in a folder that exists, ending in "
            f"{' or '.join(suffixes)}",
            field="--plot",
        )


def write_plots(path: Path, plots: Sequence[Plot]) -> None:
    """Raises InputError where that cannot be written."""
    try:
        path.write_text(svg_page(plots), encoding="utf-8")
    except OSError as exc:
        raise InputError(f"{path}: cannot be written: {exc.strerror}", field="--plot") from exc
