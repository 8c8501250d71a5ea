"""Reports: one content, three formats that can be read back."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.formats.plot import Plot, svg
from trainer.evaluation.metrics.distributions import Estimate
from trainer.evaluation.report import Report, Table, cell_text, check_paths, write_report

REPORT = Report(
    title="Evaluation of <a & b>",
    about={"seed": 7},
    tables=[
        Table(
            title="windows",
            note="n < 3",
            rows={
                "truth": {"fid": Estimate(0.12345, 0.01), "met": True},
                "4 steps": {"fid": Estimate(float("nan"), None), "gap": 12.345},
            },
        )
    ],
    plots=[
        Plot(
            title="map",
            x_label="x",
            y_label="y",
            series={"real": [(0.0, 1.0), (float("nan"), 2.0), (1.0, 3.0)], "made": []},
            is_line=True,
        )
    ],
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("report")
    paths = [folder / f"report{ending}" for ending in (".md", ".json", ".html")]
    write_report(REPORT, paths)
    return {path.suffix: path.read_text() for path in paths}


def test_markdown_has_a_row_for_each_row_and_a_dash_for_what_is_not_said(
    written: dict[str, str],
) -> None:
    lines = written[".md"].splitlines()
    assert "| | fid | met | gap |" in lines
    assert "| truth | 0.123 ± 0.010 | yes | - |" in lines
    assert "| 4 steps | - | - | 12.35 |" in lines
    assert "- seed: 7" in lines


def test_json_holds_the_numbers_and_nothing_that_json_lacks(written: dict[str, str]) -> None:
    content = json.loads(written[".json"], parse_constant=lambda name: pytest.fail(name))
    rows = content["tables"][0]["rows"]
    assert rows["truth"]["fid"] == {"mean": 0.12345, "interval": 0.01}
    assert rows["4 steps"]["fid"]["mean"] is None
    assert content["about"] == {"seed": 7}


def test_html_needs_nothing_else_and_escapes_what_it_is_given(written: dict[str, str]) -> None:
    page = written[".html"]
    assert "Evaluation of &lt;a &amp; b&gt;" in page
    assert "<svg" in page
    assert not any(word in page for word in ("src=", "@import", "<script"))
    assert all(link.startswith("#") for link in re.findall('href="([^"]*)', page))


def test_a_plot_is_well_formed_and_leaves_out_what_is_not_finite() -> None:
    picture = ET.fromstring(svg(REPORT.plots[0]))
    (line,) = [g for g in picture.iter() if g.get("id", "").startswith("line2d") and _markers(g)]
    assert len(_markers(line)) == 2


def _markers(group: ET.Element) -> list[ET.Element]:
    """The points of a curve; marks on axes stand alone."""
    uses = [use for use in group.iter() if use.tag.endswith("use")]
    return uses if len(uses) > 1 else []


def test_cells_keep_the_digits_that_matter() -> None:
    assert [cell_text(c) for c in (0.01234, 1.234, 123.456, 12345.6, False, None, "text")] == [
        "0.012", "1.23", "123.46", "12346", "NO", "-", "text",
    ]  # fmt: skip


def test_a_report_without_a_writer_or_a_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.pdf: reports end in \.md, \.json, \.html"):
        check_paths([tmp_path / "report.pdf"])
    with pytest.raises(InputError, match="there is no folder"):
        check_paths([tmp_path / "absent" / "report.md"])
