"""The page of a reproduction whose figures are known: what it shows, what it links to, what it leaves out."""

import base64
import csv
import json
import re
from html.parser import HTMLParser

import matplotlib
import pytest

from dpa.engine.analysis.values import Column, Source, table
from dpa.engine.report.figures import page_figures, shown
from dpa.engine.report.findings import read_findings
from dpa.engine.report.page_html import shown_columns
from dpa.engine.report.sections import SECTIONS
from dpa.engine.runs.errors import NotARun

PAGE_FIGURES = {
    "dc", "dcor", "dc_null_p95", "iob_appearance", "iob_pose", "initial_mm", "final_mm", "success_rate",
    "ssim", "psnr_db", "mse", "survives_jpeg", "survives_blur", "bones_final", "silhouette_psnr_db",
    "box_psnr_db", "swap_pose_shift_mm", "knn_action_from_appearance", "knn_subject_from_pose",
    "counterfactual_pose_shift_mm",
}  # fmt: skip
"""What the issue wants of each framework in results.json."""

SYNTHETIC = "The people are synthetic."


class Page(HTMLParser):
    """Every element's attributes, ids, and the text of cells and scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.ids, self.scripts, self.open, self.cells = [], [], {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        self.open.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "data-figure" in attributes:
            self.cells.append([attributes, ""])

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script" and "id" in self.open[-1][1]:
            self.scripts[self.open[-1][1]["id"]] = json.loads(data)
        if self.open and "data-figure" in self.open[-1][1]:
            self.cells[-1][1] += data

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if attributes.get(name)]


@pytest.fixture
def page(whole):
    return Page((whole / "report.html").read_text())


def test_the_page_is_one_file_that_needs_nothing_from_elsewhere(whole, page):
    text = (whole / "report.html").read_text()
    for link in [*page.attributes("src"), *page.attributes("href")]:
        assert not re.match(r"(https?:)?//", link), link
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("data:"):
            assert (whole / link).is_file(), link
    assert not re.search(r"@import|url\((?!data:)", text)
    assert all(tag != "link" or attributes["href"] == "data:," for tag, attributes in page.elements)


def test_every_id_is_there_once_and_every_reference_resolves(page):
    assert len(page.ids) == len(set(page.ids))
    for name in ("for", "aria-labelledby", "aria-describedby"):
        assert set(page.attributes(name)) <= set(page.ids)
    assert {f"s-{section.key}" for section in SECTIONS} <= set(page.ids)
    assert {"summary", "table1", "table2", "table3", "table4", "cross"} <= set(page.ids)


def test_every_picture_says_what_it_shows(page):
    pictures = [attributes for tag, attributes in page.elements if tag == "img" and "src" in attributes]
    assert len(pictures) == 5
    assert all(len(one["alt"]) > 20 for one in pictures)


def test_numbers_on_the_page_are_those_of_results_json(whole, page):
    results = json.loads((whole / "results.json").read_text())
    assert page.scripts["results-data"] == results
    assert {name: set(values) for name, values in results["frameworks"].items()} == dict.fromkeys(
        ("nsd", "cssl", "cssl-da"), PAGE_FIGURES
    )
    assert len(page.cells) == 3 * (len(PAGE_FIGURES) + 5)  # the summary, and Table 3
    for marks, text in page.cells:
        value = results["frameworks"][marks["data-network"]][marks["data-figure"]]
        assert float(marks["data-value"]) == value
        percent = marks["data-figure"].startswith(("knn", "success", "survives"))
        told = text.partition(" ")[0]  # an interval or a spread may follow
        digits = len(told.partition(".")[2])
        assert told == f"{value * (100 if percent else 1):.{digits}f}"
        assert marks["title"] == results["commands"][marks["data-network"]][marks["data-figure"]]


def test_the_papers_figures_stand_under_ours_and_cards_say_whose_they_are(whole):
    text = (whole / "report.html").read_text()
    summary = re.search(r'<figure class="table" id="summary">.*?</figure>', text, flags=re.DOTALL)[0]
    heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", summary)
    paper = '<span class="beside">paper</span>'
    networks = ("NSD", "DRNet", "CSSL", "CSSL (DA)")
    assert heads == ["figure", "disentangled", *(f"{name}, ours{paper}" for name in networks)]
    cells = re.findall(r'<td class="ours"[^>]*?data-label="(.*?)".*?>(.*?)</td>', summary)
    assert cells[0] == ("NSD", '0.71<span class="beside">0.88</span>')
    assert ("CSSL", '181.3<span class="beside slip">207.5\u00a0† (187.8)</span>') in cells
    assert ("NSD", "0.40") in cells  # dCor, of which the paper has none


def test_columns_that_have_no_counterpart_stay_by_themselves():
    ours, paper = Source.OURS, Source.PAPER
    columns = [Column(""), Column("A", paper), Column("A", ours), Column("B", paper)]
    columns += [Column("B", ours, "frame"), Column("C", ours), Column("A", Source.RECOMPUTED)]
    made = table("t", "t", columns, [])
    assert shown_columns(made) == [(0, None), (2, 1), (3, None), (4, None), (5, None), (6, None)]


def test_results_are_the_stages_own(whole):
    found = json.loads((whole / "results.json").read_text())["frameworks"]["cssl"]
    assert found["dc"] == pytest.approx(0.72) and found["counterfactual_pose_shift_mm"] == pytest.approx(
        61.51
    )
    assert found["final_mm"] == pytest.approx(181.26) and found["psnr_db"] == 25.5


def test_a_missing_framework_is_named_with_its_command_and_never_filled_in(whole, page):
    text = (whole / "report.html").read_text()
    results = json.loads((whole / "results.json").read_text())
    assert results["missing"] == {"drnet": "dpa-engine zoo build drnet"}
    assert "drnet" not in results["frameworks"]
    assert text.count("dpa-engine zoo build drnet") > 2
    rows = list(csv.DictReader((whole / "tables/summary.csv").open()))
    assert {row["DRNet, ours"] for row in rows} == {"missing"}
    assert next(row["DRNet, paper"] for row in rows if row["figure"].startswith("DC(A, P)")) == "0.59"


def test_the_papers_slips_are_flagged_with_their_recomputed_value(whole):
    rows = {row["figure"]: row for row in csv.DictReader((whole / "tables/summary.csv").open())}
    final = rows["error after the attack (mm)"]
    assert final["CSSL, paper"] == f"207.5 † ({(176.9 + 186.5 + 196.7 + 191.8 + 186.9) / 5:.1f})"
    assert final["DRNet, paper"] == f"177.5 † ({(169.7 + 166.7 + 177.9 + 177.5 + 198.9) / 5:.1f})"
    assert final["NSD, paper"] == "179.5"
    table = {row[""]: row for row in csv.DictReader((whole / "tables/table1.csv").open())}
    printed = table["average, printed"]
    assert printed["CSSL, paper"] == "25.6 → 207.5 †" and printed["NSD, paper"] == "19.7 → 179.5"
    assert printed["average, paper"] == "21.8 → 176.8 †"
    assert table["S1"]["average, paper"] == "21.6 → 174.2 †"  # (21 + 23.9 + 21.5) / 3 = 22.1


def test_the_note_on_the_data_stands_beside_every_table_and_in_the_twin(whole, page):
    text = (whole / "report.html").read_text()
    tables = re.findall(r'<figure class="table".*?</figure>', text, flags=re.DOTALL)
    assert len(tables) == 7
    assert all(SYNTHETIC in table for table in tables)
    assert SYNTHETIC in (whole / "report.md").read_text()


def test_every_table_and_figure_lies_beside_the_page_with_its_commands(whole, page):
    text = (whole / "report.html").read_text()
    for key in ("summary", "table1", "table2", "table3", "table4", "cross", "predictions"):
        assert (whole / f"tables/{key}.csv").is_file() and (whole / f"tables/{key}.tex").is_file()
    for key in ("fig2", "fig4", "fig8", "fig9", "progress"):
        assert (whole / f"figures/{key}.png").is_file() and (whole / f"figures/{key}.svg").is_file()
        part = re.search(rf'<figure id="{key}">.*?</figure>', text, flags=re.DOTALL)[0]
        assert "dpa-engine a" in part
    twin = (whole / "report.md").read_text()
    assert "![Figure 2. Synthesising novel images](figures/fig2.png)" in twin
    assert "| DC(A, P) ↓ " in twin and "dpa-engine analyze dc --network nsd" in twin


def test_all_figures_of_the_paper_draw_with_and_without_frames(reproduction):
    findings = read_findings(reproduction)
    figures = page_figures(findings)
    assert [spec.number for spec, _ in figures if spec.number] == list(range(1, 11))
    assert {spec.section for spec, _ in figures} <= {section.key for section in SECTIONS}
    for spec, stage in figures:
        assert len(spec.caption) > 30
        for images in (True, False):
            figure = spec.draw(shown(spec, stage, findings), images)
            seen = [axis for axis in figure.findobj() if hasattr(axis, "get_images") and axis.get_images()]
            assert bool(seen) == (images and spec.frames), (spec.key, images)


def test_figures_of_seven_networks_stay_as_wide_as_a_page_and_hide_no_bar(seven):
    findings = read_findings(seven)
    drawn = {
        spec.key: spec.draw(shown(spec, stage, findings), True)
        for spec, stage in page_figures(findings)
        if spec.key in ("fig3", "joints")
    }
    groups = drawn["fig3"]
    titles = [one.get_suptitle() for one in groups.subfigs]
    assert titles == ["DRNet", "CSSL", "NSD", "silhouette", "entangled", "oracle-swap"]
    assert groups.get_figwidth() < 12  # inches: three networks of three people side by side, as in the paper
    joints = drawn["joints"]
    joints.canvas.draw()
    (legend,) = joints.legends
    assert len(legend.get_texts()) == 7
    assert legend.get_window_extent().y0 >= joints.axes[0].get_window_extent().y1


def test_no_images_means_no_frame_anywhere(without_frames):
    text = (without_frames / "report.html").read_text()
    page = Page(text)
    assert page.attributes("data-frames") == [] and "compare" not in page.ids
    for network in page.scripts["viewer-data"]["networks"]:
        for sample in network["samples"]:
            assert sample.keys().isdisjoint({"frames", "original"})
            assert len(sample["poses"]) == len(sample["errors"]) == 4
    for uri in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text):
        assert b"<image" not in base64.b64decode(uri)
    assert "image/webp" not in text
    for drawing in (without_frames / "figures").glob("*.svg"):
        assert "<image" not in drawing.read_text()
    assert "Frames are left out" in text


def test_frames_are_there_when_they_may_be(whole, page):
    assert page.attributes("data-frames") == ["yes", "yes"]
    sample = page.scripts["viewer-data"]["networks"][0]["samples"][0]
    assert len(sample["frames"]) == 4 and sample["frames"][0].startswith("data:image/webp;base64,")
    assert sample["steps"] == [0, 1, 2, 3] and sample["trace"] == [30, 90, 140, 181]


def test_the_quick_pages_of_these_tests_leave_no_setting_behind(whole, without_frames):
    """Analyses tested later in the same process save figures of their own, and measure them."""
    assert matplotlib.rcParams["savefig.dpi"] == matplotlib.rcParamsDefault["savefig.dpi"]


def test_a_folder_that_is_no_reproduction_is_named(tmp_path):
    with pytest.raises(NotARun, match=r"reproduction\.json"):
        read_findings(tmp_path)
