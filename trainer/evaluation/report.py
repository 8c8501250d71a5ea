"""Reports of an evaluation: one content, four writers (Markdown, JSON, HTML, SVG).

Knows tables, curves and point clouds; knows nothing of motion, networks or how a figure was made.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.formats.plot import Plot, svg, svg_page
from trainer.evaluation.metrics.distributions import Estimate

Cell = Estimate | float | str | bool | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of named cells; a row may lack some."""

    title: str
    rows: Mapping[str, Mapping[str, Cell]]
    note: str = ""

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))


@dataclass(frozen=True, kw_only=True)
class Report:
    title: str
    about: Mapping[str, Any]
    """What was measured, on what, with which settings and hashes."""
    tables: Sequence[Table]
    plots: Sequence[Plot] = field(default=())


def write_report(report: Report, paths: Sequence[Path]) -> None:
    """Write each path in the format that its ending names."""
    for path in check_paths(paths):
        path.write_text(WRITERS[path.suffix](report), encoding="utf-8")


def check_paths(paths: Sequence[Path]) -> Sequence[Path]:
    """Raises InputError for an ending without a writer, or a folder that is not there."""
    for path in paths:
        if path.suffix not in WRITERS:
            raise InputError(
                f"{path}: reports end in {', '.join(WRITERS)}; name one of these", field="--out"
            )
        if not path.absolute().parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}; make it", field="--out")
    return paths


# -------------------------------------------------------------------------------------------- text
def cell_text(cell: Cell) -> str:
    """Three significant digits, or two decimals where there are more before the point."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Estimate):
        if cell.interval is None:
            return cell_text(cell.mean)
        return f"{cell_text(cell.mean)} ± {cell_text(cell.interval)}"
    if not math.isfinite(cell):
        return "-"
    digits = 2 if abs(cell) >= 1 else 3
    return f"{cell:.{digits}f}" if abs(cell) < 1000 else f"{cell:.0f}"


def markdown(report: Report) -> str:
    lines = [f"# {report.title}", ""]
    lines += [f"- {name}: {value}" for name, value in report.about.items()]
    for table in report.tables:
        lines += ["", f"## {table.title}", *([table.note, ""] if table.note else [""])]
        lines.append("| | " + " | ".join(table.columns) + " |")
        lines.append("|---" * (len(table.columns) + 1) + "|")
        for label, row in table.rows.items():
            cells = (cell_text(row.get(name)) for name in table.columns)
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def json_text(report: Report) -> str:
    return json.dumps(_finite(asdict(report)), indent=1) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -------------------------------------------------------------------------------------------- HTML
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem;
color:#1f2328}table{border-collapse:collapse;display:block;overflow-x:auto;font-size:13px}
td,th{border:1px solid #d0d7de;padding:3px 8px;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:1rem 1rem 1rem 0}
figcaption{font-weight:600}svg text{font-size:11px;fill:#57606a}"""


def html_text(report: Report) -> str:
    """One file that needs nothing else."""
    about = "".join(
        f"<tr><td>{_safe(k)}</td><td>{_safe(str(v))}</td></tr>" for k, v in report.about.items()
    )
    parts = [f"<h1>{_safe(report.title)}</h1><table>{about}</table>"]
    parts += [
        f"<figure><figcaption>{_safe(plot.title)}</figcaption>{svg(plot)}</figure>"
        for plot in report.plots
    ]
    for table in report.tables:
        head = "".join(f"<th>{_safe(name)}</th>" for name in ("", *table.columns))
        rows = "".join(
            f"<tr><td>{_safe(label)}</td>"
            + "".join(f"<td>{_safe(cell_text(row.get(c)))}</td>" for c in table.columns)
            + "</tr>"
            for label, row in table.rows.items()
        )
        parts.append(
            f"<h2>{_safe(table.title)}</h2><p>{_safe(table.note)}</p>"
            f"<table><tr>{head}</tr>{rows}</table>"
        )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_safe(report.title)}</title>'
        f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _safe(text: str) -> str:
    return html.escape(text)


def svg_text(report: Report) -> str:
    return svg_page(report.plots)


WRITERS = {".md": markdown, ".json": json_text, ".html": html_text, ".svg": svg_text}
