"""Tests the HTML page of an audit in a real browser, including accessibility.

    make test-page

Each case opens its own page. Screenshots are written to the work directory, and timings are printed.
"""

import argparse
import base64
import contextlib
import csv
import json
import re
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import results
from browser import chromium, wait_until

RANKS = ["fails", "unknown", "unverified", "runs", "undeclared", "ignored"]
ROWS = """return [...document.querySelectorAll("tr.row")].map((row) => ({
  name: row.querySelector(".name").textContent, verdict: row.querySelector(".badge").classList[1],
  platforms: [...row.querySelectorAll(".c-platforms li")].map((item) => item.textContent),
  intended: [...row.querySelectorAll(".places .theirs")].map((item) => item.textContent),
  wrong: [...row.querySelectorAll(".wrong .code")].map((item) => item.textContent),
  pushed: row.querySelector("time")?.textContent ?? ""}))"""
# The second is a phone.
WIDTHS = [320, 390, 768, 1280]


class Stage:
    def __init__(self, browser, tool, work, axe):
        self.browser, self.tool, self.work, self.axe = browser, tool, work, axe
        self.reports = results.sample(tool, work)
        self.sample = self.page("sample", self.reports)

    def page(self, name, reports):
        """Renders the page of these reports with the command-line tool; returns the file."""
        lines = results.write(self.work / f"{name}.jsonl", reports)
        file = self.work / f"{name}.html"
        began = time.monotonic()
        subprocess.run([self.tool, "page", lines, "--output", file], check=True, capture_output=True)
        self.render_seconds = time.monotonic() - began
        return file

    def open(self, file, address="", width=1280, height=900, dark=False, scripts=True, grouped=False):
        """Opens a page. Unless it is grouped, the list shows every row, as the cases expect."""
        if not grouped and (not address or "=" in address):
            address = f"{address or '#'}{'&' if address else ''}group=none"
        self.browser.size(width, height, dark, mobile=width < 700)
        # A URL with another fragment would not reload the page.
        self.browser.open("about:blank")
        self.browser.log("browser"), self.browser.log("performance")
        self.browser.open(file.as_uri() + address)
        if scripts:
            self.wait()

    def wait(self):
        """Until the rows are decompressed."""
        wait_until("the list", lambda: self.browser.run("return performance.getEntriesByName('update').length > 0"))

    def rows(self):
        return self.browser.run(ROWS)

    def names(self):
        return sorted(row["name"] for row in self.rows())

    def expected(self, fits):
        return sorted(name(report) for report in self.reports if fits(report))

    def quiet(self):
        """Checks that the console is empty and that the page made no requests."""
        equal("the console", self.browser.log("browser"), [])
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.log("performance")]
        asked = [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        equal("the page is among the recorded requests", any(url.startswith("file:") for url in asked), True)
        equal("the requests", [url for url in asked if not url.startswith(("file:", "data:", "blob:"))], [])

    def accessible(self, what):
        """Checks that axe finds no violation and that each control has a name."""
        self.browser.run(self.axe)
        found = self.browser.run("return axe.run(document, {resultTypes: ['violations', 'incomplete']})")
        findings = lambda kind: [(rule["id"], [node["html"][:200] + " | " + node.get("failureSummary", "")[:300] for node in rule["nodes"]]) for rule in found[kind]]
        equal(f"{what}: violations", findings("violations"), [])
        # axe reports contrasts that it cannot compute. There are none here, except for icons, which have the color of
        # the text next to them.
        undecided = [node for rule, nodes in findings("incomplete") if rule == "color-contrast" for node in nodes if "only non-text characters" not in node]
        equal(f"{what}: not decided", undecided, [])
        tree = self.browser.cdp("Accessibility.getFullAXTree")["nodes"]
        roles = ("button", "combobox", "searchbox", "table", "link", "img", "region", "search", "list")
        value = lambda node, key: node.get(key, {}).get("value", "")
        nameless = [value(node, "role") for node in tree if not node.get("ignored") and value(node, "role") in roles[:-1] and not value(node, "name")]
        equal(f"{what}: without a name", nameless, [])

    def picture(self, name, **how):
        self.browser.picture(self.work / f"{name}.png", **how)


class Wrong(Exception):
    """The page is not as expected."""


def equal(what, actual, expected):
    if actual != expected:
        raise Wrong(f"{what}:\n  expected {expected}\n  actual   {actual}")


def name(report):
    arrival = report["arrival"]
    return f"{arrival['repository']}:{arrival['tag']}"


def state(report):
    """The verdict as the page shows it."""
    verified = all(answer["verified"] for answer in report.get("runtimes", []))
    return report["verdict"] if report["verdict"] != "runs" or verified else "unverified"


def codes(report):
    return {fault["code"] for answer in report.get("runtimes", []) for fault in answer["faults"]}


def meant(report):
    return {declared["runtime"] for declared in report.get("intended") or []}


def natural(text):
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


# The cases


def all_rows_are_shown_and_the_worst_first(stage):
    stage.open(stage.sample)
    equal("the rows", stage.names(), stage.expected(lambda report: True))
    ranks = [RANKS.index(row["verdict"]) for row in stage.rows()]
    equal("the verdicts", ranks, sorted(ranks))
    for rank in RANKS:
        count = sum(state(report) == rank for report in stage.reports)
        shown = stage.browser.run("return document.querySelector(`.tile.${arguments[0]} .count`).textContent", rank)
        equal(f"the tile {rank}", shown, str(count))
    counted = stage.browser.run("return [...document.querySelectorAll('.fault')].map((fault) => [fault.dataset.fault, Number(fault.querySelector('.count').textContent)])")
    equal("the faults", dict(counted), {code: sum(code in codes(report) for report in stage.reports) for code in set().union(*map(codes, stage.reports))})
    stage.quiet()


def filters_show_exactly_the_matching_rows(stage):
    stage.open(stage.sample)
    for rank in RANKS:
        stage.browser.click(f".tile.{rank}")
        equal(f"only {rank}", stage.names(), stage.expected(lambda report: state(report) == rank))
        stage.browser.click(f".tile.{rank}")
    for code in set().union(*map(codes, stage.reports)):
        stage.browser.click(f"[data-fault={code}]")
        equal(f"only {code}", stage.names(), stage.expected(lambda report: code in codes(report)))
        stage.browser.click(f"[data-fault={code}]")
    for verdicts in [["fails", "unknown"], ["runs", "ignored"]]:
        [stage.browser.click(f".tile.{rank}") for rank in verdicts]
        equal(f"{verdicts}", stage.names(), stage.expected(lambda report: state(report) in verdicts))
        stage.browser.click("#clear")
    for runtime in set().union(*map(meant, stage.reports)):
        stage.open(stage.sample, f"#runtime={runtime}")
        equal(f"only {runtime}", stage.names(), stage.expected(lambda report: runtime in meant(report)))
    stage.open(stage.sample)
    for text, fits in [
        ("team", lambda report: "team" in name(report)),
        ("TOOLS 2.0", lambda report: name(report) == "team/tools:2.0.0"),
        ("11.4", lambda report: name(report) == "grafana/grafana:11.4.0"),
        ("latest", lambda report: "latest" in report["arrival"].get("alsoTagged", [])),
        ("sha256:c9e1bae9", lambda report: report.get("image", {}).get("digest", "").startswith("sha256:c9e1bae9")),
        (".*", lambda report: False),
    ]:
        stage.browser.run("document.querySelector('#search').focus(); document.querySelector('#search').select()")
        stage.browser.press(*text)
        equal(f"the text {text}", stage.names(), stage.expected(fits))
    equal("nothing", stage.browser.run("return [document.querySelector('#none').hidden, document.querySelector('#table').hidden]"), [False, True])
    stage.picture("no-match")
    stage.browser.click("#reset")
    equal("all again", stage.names(), stage.expected(lambda report: True))
    stage.open(stage.sample, "#verdict=fails&runtime=ecs/amd64&q=tools")
    equal("all at once", stage.names(), stage.expected(lambda report: report["verdict"] == "fails" and "ecs/amd64" in meant(report) and "tools" in name(report)))
    stage.quiet()


def each_column_sorts_in_both_directions(stage):
    stage.open(stage.sample)
    last = lambda texts: (not texts, texts)
    keys = {
        "image": lambda row: natural(row["name"].split(":")[0]),
        "platforms": lambda row: last(",".join(row["platforms"])),
        "intended": lambda row: last(",".join(row["intended"]).lower()),
        "wrong": None,
        "pushed": lambda row: row["pushed"],
        "verdict": lambda row: RANKS.index(row["verdict"]),
    }
    for column, key in keys.items():
        for way in (1, 2):
            stage.browser.click(f"th[data-column={column}] button")
            said = stage.browser.run("return [...document.querySelectorAll('th')].filter((th) => th.ariaSort !== 'none').map((th) => [th.dataset.column, th.ariaSort])")
            # Dates are first sorted by the newest.
            down = (way == 2) != (column == "pushed")
            equal("the announced order", said, [[column, "descending" if down else "ascending"]])
            found = stage.rows()
            equal("the rows", sorted(row["name"] for row in found), stage.expected(lambda report: True))
            if key is None:
                first, rest = (found[0], found[-1]) if way == 1 else (found[-1], found[0])
                equal("rows with faults are at one end", (bool(first["wrong"]), bool(rest["wrong"])), (True, False))
            else:
                equal(f"{column}, {way}", [key(row) for row in found], sorted(map(key, found), reverse=down))
    stage.quiet()


def a_link_restores_filters_and_order(stage):
    stage.open(stage.sample)
    stage.browser.click(".tile.fails")
    stage.browser.click("[data-fault=wrong-architecture]")
    stage.browser.click("th[data-column=pushed] button")
    stage.browser.click("#search")
    stage.browser.press(*"team")
    address = stage.browser.run("return location.hash")
    equal("the address", address, "#verdict=fails&fault=wrong-architecture&q=team&sort=pushed&group=none")
    before = stage.rows()
    for again in (lambda: stage.browser.call("POST", "/refresh", {}), lambda: stage.open(stage.sample, address)):
        again()
        stage.wait()
        equal("the rows", stage.rows(), before)
        pressed = stage.browser.run("return [...document.querySelectorAll('[aria-pressed=true]')].map((button) => button.dataset.verdict ?? button.dataset.fault)")
        equal("what is pressed", pressed, ["fails", "wrong-architecture"])
        equal("the text", stage.browser.run("return document.querySelector('#search').value"), "team")
    for nonsense in ("#verdict=maybe,fails&sort=-nothing&runtime=x&y=%", "#images", "#verdict=%3Cimg%3E"):
        stage.open(stage.sample, nonsense)
        equal("some rows", len(stage.rows()) > 0, True)
    stage.quiet()


FOCUS = "const {id, className, dataset, ariaLabel, textContent, name} = document.activeElement; return id || dataset.verdict || dataset.fault || className || textContent"


def the_keyboard_reaches_everything(stage):
    stage.open(stage.sample)
    met = []
    while "name" not in met and len(met) < 80:
        stage.browser.press("Tab")
        met.append(stage.browser.run(FOCUS))
        outline = stage.browser.run("return getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth")
        equal(f"the focus on {met[-1]} is seen", outline, "solid2px")
    faults = stage.browser.run("return [...document.querySelectorAll('.fault')].map((fault) => fault.dataset.fault)")
    equal("the order of Tab", met, ["skip", "theme", *RANKS, *faults, "search", "runtime", "group", "save-csv", "save-markdown", "Verdict↑", "Image", "Platforms", "Meant for", "What is wrong", "Pushed", "name"])
    stage.browser.press("Enter")
    expanded = "const button = document.querySelector('.name'); return [button.ariaExpanded, Boolean(document.getElementById(button.getAttribute('aria-controls')))]"
    equal("Enter opens", stage.browser.run(expanded), ["true", True])
    stage.browser.press("Tab")
    equal("the first copy button", stage.browser.run(FOCUS), "copy")
    stage.browser.press("Escape")
    equal("Escape closes", stage.browser.run(expanded), ["false", False])
    equal("and returns the focus", stage.browser.run(FOCUS), "name")
    stage.browser.press("Space")
    equal("Space opens", stage.browser.run(expanded), ["true", True])
    stage.browser.press("Enter")
    equal("Enter closes", stage.browser.run(expanded), ["false", False])
    stage.browser.press("/")
    equal("a slash finds the search", stage.browser.run(FOCUS), "search")
    stage.browser.press(*"a/b")
    equal("and is a letter there", stage.browser.run("return document.querySelector('#search').value"), "a/b")
    stage.browser.press("Escape")
    equal("Escape clears it", stage.browser.run("return document.querySelector('#search').value"), "")
    stage.browser.run("document.activeElement.blur(); document.querySelector('#skip').focus()")
    stage.browser.press("Enter")
    equal("the skip link", stage.browser.run(FOCUS), "images")
    equal("and all rows still", len(stage.rows()), len(stage.reports))
    stage.quiet()


def a_row_shows_expected_error_and_fix(stage):
    stage.open(stage.sample, "#q=grafana")
    report = next(report for report in stage.reports if "grafana" in name(report))
    stage.browser.click("tr.row .c-wrong")
    fault = report["runtimes"][0]["faults"][0]
    equal("the expected error", stage.browser.run("return document.querySelector('.met pre').textContent"), fault["symptom"])
    shown = stage.browser.run("return [...document.querySelectorAll('.steps li')].map((step) => [step.firstChild.textContent, step.querySelector('pre').textContent])")
    equal("the steps", shown, [[f"{advice}:", command] for advice, command in zip(fault["advice"], fault["remedy"])])
    about = stage.browser.run("return Object.fromEntries([...document.querySelectorAll('.about dt')].map((dt) => [dt.firstChild.textContent, dt.nextElementSibling.textContent]))")
    equal("the digest", about["Digest"], report["image"]["digest"])
    equal("the other tags", about["Also tagged"], "11.4, 11")
    equal("the command", about["Command"], "/app")
    for which in ("", "denied"):
        if which:
            stage.browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('denied'))")
        stage.browser.click(".steps .copy")
        wait_until("copying", lambda: stage.browser.run("return document.querySelector('.steps .copy').textContent") == "Copied")
        equal("it is announced", stage.browser.run("return document.querySelector('#said').textContent"), "Copied")
        stage.browser.run("document.querySelector('#search').value = ''")
        stage.browser.click("#search")
        stage.browser.press("\ue009+v")
        equal("what was copied", stage.browser.run("return document.querySelector('#search').value"), fault["remedy"][0])
        stage.open(stage.sample, "#q=grafana")
        stage.browser.click("tr.row .c-wrong")
    # Every command and every piece of advice is complete, although the page stores them in a shortened form.
    for report in stage.reports:
        stage.open(stage.sample, f"#q={name(report)}")
        stage.browser.click("tr.row .c-verdict")
        text = stage.browser.run("return document.querySelector('tr.detail').textContent")
        for fault in (fault for answer in report.get("runtimes", []) for fault in answer["faults"]):
            for part in [fault["evidence"], fault.get("symptom") or "", *fault["remedy"], *fault["advice"]]:
                equal(f"{name(report)} shows `{part}`", part.replace("`", "") in text.replace("`", ""), True)
    stage.quiet()


GROUPS = """return [...document.querySelectorAll("tr.group")].map((group) => [group.querySelector(".theirs").textContent,
  group.querySelector(".toggle").ariaExpanded, [...group.querySelectorAll(".counts li")].map((item) => [item.className, Number(item.childNodes[1].textContent)])])"""


def rows_are_grouped_by_repository(stage):
    stage.open(stage.sample, grouped=True)
    by_repository = {}
    for report in stage.reports:
        by_repository.setdefault(report["arrival"]["repository"], []).append(state(report))
    bad = {"fails", "unknown"}
    counts = lambda states: [[rank, states.count(rank)] for rank in RANKS if rank in states]
    found = stage.browser.run(GROUPS)
    expected = [[name_, "true" if bad & set(states) else "false", counts(states)] for name_, states in by_repository.items()]
    equal("the groups", sorted(found), sorted(expected))
    equal("those with problems come first", [opened for _, opened, _ in found], sorted((opened for _, opened, _ in found), reverse=True))
    rows = lambda: len(stage.rows())
    visible = sum(len(states) for states in by_repository.values() if bad & set(states))
    equal("the rows of open groups", rows(), visible)
    stage.browser.click("tr.row .name")
    stage.browser.run("[...document.querySelectorAll('.toggle')].pop().focus()")
    stage.browser.press("Enter")
    equal("the last group opens", rows() > visible, True)
    equal("and keeps the focus", stage.browser.run("return document.activeElement === [...document.querySelectorAll('.toggle')].pop()"), True)
    equal("an open row stays open", stage.browser.run("return document.querySelectorAll('tr.detail').length"), 1)
    stage.browser.press("Space")
    equal("and closes", rows(), visible)
    # The header of the table covers the top of the window.
    stage.browser.run("document.querySelector('tr.group .dim').click()")
    equal("the first group closes", rows(), visible - len(by_repository[found[0][0]]))
    stage.browser.click("#search")
    stage.browser.press(*"signed")
    equal("a search opens", (rows(), [name_ for name_, *_ in stage.browser.run(GROUPS)]), (1, ["team/signed"]))
    stage.browser.run("const group = document.querySelector('#group'); group.value = 'none'; group.dispatchEvent(new Event('change'))")
    equal("without groups", (len(stage.browser.run(GROUPS)), stage.browser.run("return location.hash")), (0, "#q=signed&group=none"))
    # Two regions.
    other = json.loads(json.dumps(stage.reports[0]).replace("us-west-2", "eu-central-1"))
    stage.open(stage.page("regions", [stage.reports[0], other]), grouped=True)
    equal("the regions", stage.browser.run("return [...document.querySelectorAll('.toggle .dim')].map((text) => text.textContent.trim())"), [f"123456789012, {region}, 1 image" for region in ("us-west-2", "eu-central-1")])
    stage.browser.click("tr.row .name")
    link = stage.browser.run("return document.querySelector('.about a').href")
    equal("the console", link.startswith("https://us-west-2.console.aws.amazon.com/ecr/repositories/private/123456789012/grafana/grafana/_/image/sha256:"), True)
    stage.quiet()


def matching_rows_are_saved(stage):
    directory = stage.work / "saved"
    directory.mkdir()
    stage.browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(directory))
    evil = json.loads(json.dumps(stage.reports[0]).replace("grafana/grafana", "=1+1;-2|`@team/all").replace("11.4.0", "@x"))
    fine = next(report for report in stage.reports if state(report) == "runs")
    stage.open(stage.page("saved", [fine, stage.reports[0], evil]), "#verdict=fails", grouped=True)
    for button, file in (("#save-csv", "audit.csv"), ("#save-markdown", "audit.md")):
        stage.browser.click(button)
        wait_until(file, lambda: (directory / file).is_file())
    cells = [*csv.reader((directory / "audit.csv").open(newline=""))]
    equal("the columns", cells[0][:4], ["verdict", "registry", "repository", "tag"])
    equal("the rows", [row[:4] for row in cells[1:]], [
        ["fails", "123456789012, us-west-2", "'=1+1;'-2|`@team/all", "'@x"], ["fails", "123456789012, us-west-2", "grafana/grafana", "11.4.0"]])
    markdown = (directory / "audit.md").read_text().splitlines()
    equal("the lines of Markdown", [line.split(" | ")[1] for line in markdown[2:]], ["`=1+1;-2\\|\ufffd@team/all:@x`, `11.4`, `11`", "`grafana/grafana:11.4.0`, `11.4`, `11`"])


def images_in_use_can_be_filtered(stage):
    stage.open(stage.sample)
    equal("without consumers", stage.browser.run("return [document.querySelector('#in-use'), document.querySelector('.c-users')]"), [None, None])
    reports = json.loads(json.dumps(stage.reports))
    used = lambda report: report["inUse"]["by"]
    user = lambda service, name_: {"service": service, "name": name_, "container": "app", "definition": "web"}
    for at, report in enumerate(reports):
        users = [user("ecs", f"prod/service-{at}-{number}") for number in range(at % 3 * 2)]
        report["inUse"] = {"by": [*users, user("lambda", "resize")] if users else []}
    file = stage.page("in-use", reports)
    expected = lambda fits: sorted(name(report) for report in reports if fits(report))
    users = lambda: stage.browser.run("return [...document.querySelectorAll('tr.row .c-users')].map((cell) => cell.textContent)")
    stage.open(file)
    equal("the rows", stage.names(), expected(lambda report: True))
    equal("some are not in use", "" in users(), True)
    stage.browser.run("document.querySelector('#runtime').focus()")
    stage.browser.press("Tab")
    equal("Tab reaches it", stage.browser.run(FOCUS), "in-use")
    stage.browser.press("Space")
    equal("only those in use", stage.names(), expected(used))
    equal("each names who", "" in users(), False)
    equal("the first names, and how many more", any(text.endswith("+2") for text in users()), True)
    stage.browser.click(".tile.fails")
    both = expected(lambda report: used(report) and report["verdict"] == "fails")
    equal("with another filter", (stage.names(), len(both) > 0), (both, True))
    address = stage.browser.run("return location.hash")
    equal("the address", address, "#verdict=fails&in-use=yes&group=none")
    stage.open(file, address)
    equal("again", (stage.names(), stage.browser.run("return document.querySelector('#in-use').checked")), (both, True))
    stage.browser.click("th[data-column=users] button")
    equal("it is sorted", users(), sorted(users(), key=natural))
    stage.browser.click("tr.row .name")
    about = stage.browser.run("return [...document.querySelectorAll('.about dt')].filter((dt) => dt.textContent === 'In use by').map((dt) => [...dt.nextElementSibling.querySelectorAll('li')].at(-1).textContent)")
    equal("the details", about, ["resize, container app of web (AWS Lambda)"])
    stage.browser.click("#clear")
    equal("cleared", (stage.names(), stage.browser.run("return document.querySelector('#in-use').checked")), (expected(lambda report: True), False))
    stage.open(file, "#in-use=yes", grouped=True)
    groups = {report["arrival"]["repository"] for report in reports if used(report)}
    equal("the groups", {group[0] for group in stage.browser.run(GROUPS)}, groups)
    directory = stage.work / "saved-in-use"
    directory.mkdir()
    stage.browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(directory))
    stage.browser.click("#save-csv")
    wait_until("the file", lambda: (directory / "audit.csv").is_file())
    cells = [*csv.reader((directory / "audit.csv").open(newline=""))]
    equal("the last column", (cells[0][-1], all(row[-1].endswith("resize") for row in cells[1:])), ("in_use_by", True))
    # What was not read is not shown as not in use.
    for report in reports:
        report["inUse"]["notRead"] = ["ecs"]
    stage.open(stage.page("in-use-unknown", reports))
    equal("unknown", ("" in users(), "unknown" in users()), (False, True))
    notes = stage.browser.run("return [...document.querySelectorAll('header .note')].map((note) => note.textContent)")
    equal("the note", notes, ["The consumers of Amazon ECS in us-west-2 are unknown or incomplete: an image without one may be in use."])
    for width in WIDTHS:
        stage.open(stage.work / "in-use-unknown.html", "", width, 844 if width < 700 else 900, grouped=True)
        stage.browser.run("document.querySelector('.name').click()")
        equal(f"{width} scrolls sideways", *stage.browser.run("return [document.documentElement.scrollWidth, innerWidth]"))
        stage.accessible(f"{width}, in use")
        stage.picture(f"in-use-{width}", whole=True)
    stage.quiet()


def accessible_at_every_width(stage):
    for width in WIDTHS:
        for dark in (False, True):
            stage.open(stage.sample, "", width, 844 if width < 700 else 900, dark, grouped=True)
            look = f"{width}-{'dark' if dark else 'light'}"
            scroll = lambda: stage.browser.run("return [document.documentElement.scrollWidth, innerWidth]")
            equal(f"{look} scrolls sideways", *scroll())
            stage.picture(f"page-{look}")
            stage.accessible(look)
            [stage.browser.run("document.querySelectorAll('.name')[arguments[0]].click()", at) for at in (0, 3, 8)]
            equal(f"{look} scrolls sideways, open", *scroll())
            stage.accessible(f"{look}, open")
            stage.picture(f"page-{look}-open", whole=True)
            stage.browser.run("document.querySelector('tr.detail').previousElementSibling.scrollIntoView()")
            stage.picture(f"page-{look}-row")
    equal("roles", stage.browser.run("return [...new Set([...document.querySelectorAll('table, table *')].map((element) => element.getAttribute('role')).filter(Boolean))].sort()"), ["cell", "columnheader", "list", "row", "rowgroup", "table"])
    stage.quiet()


def the_screenshot_for_the_readme(stage):
    # Copied to docs/audit-desktop.png by hand; not compared, because fonts differ between machines.
    stage.open(stage.sample, width=1120, height=1150, grouped=True)
    stage.browser.run("document.querySelector('.name').click(); document.activeElement.blur()")
    stage.picture("readme")


def light_and_dark_can_be_selected(stage):
    stage.open(stage.sample)
    ground = lambda: stage.browser.run("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    stage.browser.click("#theme")
    dark = ground()
    equal("they differ", light != dark, True)
    stage.browser.call("POST", "/refresh", {})
    equal("the choice is kept", ground(), dark)
    stage.browser.click("#theme")
    equal("and reverted", ground(), light)
    stage.browser.run("localStorage.clear()")
    stage.open(stage.sample, dark=True)
    equal("the system decides", ground(), dark)
    stage.quiet()


def hostile_texts_are_escaped(stage):
    file = stage.page("hostile", [*results.hostile(stage.reports[0]), stage.reports[0]])
    for width in WIDTHS:
        stage.open(file, "", width)
        title = stage.browser.run("return document.title")
        equal("the rows", len(stage.rows()), len(results.HOSTILE) + 1)
        stage.browser.run("document.querySelectorAll('.name').forEach((name) => name.click())")
        equal("elements", stage.browser.run("return document.querySelectorAll('table img, table script, head ~ * iframe').length"), 0)
        equal("scrolls sideways", *stage.browser.run("return [document.documentElement.scrollWidth, innerWidth]"))
        equal("its title", stage.browser.run("return document.title"), title)
        shown = stage.browser.run("return document.body.innerText")
        equal("it is shown as text", "<img src=x onerror=" in shown and "</script><script>" in shown, True)
        equal("no text direction is reversed", any(sign in shown for sign in "\u202e\u2066\u200f"), False)
    stage.picture("hostile")
    stage.quiet()


def the_content_security_policy_is_enforced(stage):
    stage.open(stage.sample)
    stage.browser.run("""const script = document.createElement("script"); script.textContent = "document.title = 'owned'"; document.body.append(script);
      const image = document.createElement("img"); image.src = "https://example.invalid/x.png"; document.body.append(image);
      document.body.insertAdjacentHTML("beforeend", "<p style='color: red' onclick='1'>x</p>");
      return fetch("https://example.invalid/").catch(() => null).then(() => null)""")
    equal("nothing ran", "owned" in stage.browser.run("return document.title"), False)
    complaints = [entry["message"] for entry in stage.browser.log("browser") if "Content Security Policy" in entry["message"]]
    equal("each attempt was refused", len(complaints) >= 4, True)


def the_headline_without_faults(stage):
    fine = [report for report in stage.reports if state(report) == "runs"]
    for name_, reports, title in [
        ("all-well", fine, "Every image starts where it is meant to run"),
        ("nothing", [], "There was no image to check"),
        ("undeclared", [report for report in stage.reports if report["verdict"] == "undeclared"], "The image has no declared runtime"),
    ]:
        file = stage.page(name_, reports)
        stage.open(file)
        equal("the headline", stage.browser.run("return document.querySelector('h1').textContent"), title)
        stage.accessible(name_)
        stage.picture(name_)
        stage.quiet()


def without_scripts_and_printed(stage):
    stage.browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        stage.open(stage.sample, scripts=False)
        stage.picture("without-scripts", whole=True)
        text = " ".join(node["name"]["value"] for node in stage.browser.cdp("Accessibility.getFullAXTree")["nodes"] if node.get("name", {}).get("value"))
        for part in (f"of {len(stage.reports)} images will not start", "scripts are disabled here", "wrong-architecture", "us-west-2"):
            equal(f"the page shows `{part}`", part in text, True)
    finally:
        stage.browser.cdp("Emulation.setScriptExecutionDisabled", value=False)
    stage.open(stage.sample)
    stage.browser.run("document.querySelector('.name').click()")
    pdf = base64.b64decode(stage.browser.cdp("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)["data"])
    (stage.work / "paper.pdf").write_bytes(pdf)
    stage.browser.cdp("Emulation.setEmulatedMedia", media="print")
    hidden = stage.browser.run("return ['#filters', '#theme', '.copy'].map((selector) => getComputedStyle(document.querySelector(selector)).display)")
    equal("controls are not printed", hidden, ["none"] * 3)
    stage.picture("paper", whole=True)
    stage.browser.cdp("Emulation.setEmulatedMedia", media="")


def many_rows_are_fast(stage):
    for count, bound in ((10_000, 3), (stage.most_rows, 12)):
        file = stage.page(f"rows-{count}", results.many(stage.reports, count))
        megabytes = file.stat().st_size / 1e6
        stage.open(file)
        wait_until("painting", lambda: stage.browser.run("return performance.getEntriesByName('first-contentful-paint').length"))
        first = stage.browser.run("return [performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.getEntriesByName('update')[0].startTime + performance.getEntriesByName('update')[0].duration, performance.getEntriesByName('update')[0].duration]")
        equal("the first rows", len(stage.rows()), 100)
        if count == 10_000:
            stage.picture("rows-10000")
            stage.browser.run("scrollTo(0, document.body.scrollHeight)")
            stage.browser.click("#more")
            equal("more rows", len(stage.rows()), 200)
        times = {}
        for what, script in {
            "verdict": "document.querySelector('.tile.fails').click()",
            "text": "const search = document.querySelector('#search'); search.value = 'group-1 7'; search.dispatchEvent(new Event('input'))",
            "sort": "document.querySelector('th[data-column=pushed] button').click()",
        }.items():
            stage.browser.run("performance.clearMeasures()")
            stage.browser.run(script)
            times[what] = stage.browser.run("return performance.getEntriesByName('update')[0].duration")
        print(f"        {count} rows: {megabytes:.1f} MB, {megabytes * 1e6 / count:.0f} bytes a row; rendered in {stage.render_seconds:.2f} s; first paint {first[0]:.0f} ms, list there after {first[1]:.0f} ms (order and draw {first[2]:.0f} ms); " + ", ".join(f"{what} {took:.0f} ms" for what, took in times.items()))
        equal("the list is there in time", first[1] < bound * 1000, True)
        equal("filters are quick", times["verdict"] < 1000 and times["text"] < 1000, True)
        stage.quiet()


CASES = [
    all_rows_are_shown_and_the_worst_first,
    filters_show_exactly_the_matching_rows,
    each_column_sorts_in_both_directions,
    a_link_restores_filters_and_order,
    the_keyboard_reaches_everything,
    a_row_shows_expected_error_and_fix,
    rows_are_grouped_by_repository,
    matching_rows_are_saved,
    images_in_use_can_be_filtered,
    the_screenshot_for_the_readme,
    light_and_dark_can_be_selected,
    hostile_texts_are_escaped,
    the_content_security_policy_is_enforced,
    the_headline_without_faults,
    accessible_at_every_width,
    without_scripts_and_printed,
    many_rows_are_fast,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", type=Path, required=True, help="the ecr-preflight binary")
    parser.add_argument("--axe", type=Path, required=True, help="axe.min.js, or a directory that contains it")
    parser.add_argument("--work", type=Path, required=True, help="directory for pages and screenshots")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the largest page (default: 100000)")
    parser.add_argument("cases", nargs="*", help="run only cases whose names contain one of these")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    axe = arguments.axe if arguments.axe.is_file() else next(arguments.axe.rglob("axe.min.js"))
    failed = 0
    with chromium(work) as browser:
        stage = Stage(browser, arguments.tool.resolve(), work, axe.read_text())
        stage.most_rows = arguments.rows
        for case in CASES:
            if arguments.cases and not any(part in case.__name__ for part in arguments.cases):
                continue
            title, began = case.__name__.replace("_", " "), time.monotonic()
            try:
                case(stage)
                print(f"ok      {title} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception as error:  # noqa: BLE001, the other cases run in any case
                failed += 1
                with contextlib.suppress(Exception):
                    stage.picture(f"failed-{case.__name__}")
                print(f"FAILED  {title}\n{error if isinstance(error, Wrong) else traceback.format_exc()}", flush=True)
    print(f"screenshots in {work}")
    sys.exit(failed > 0)


main()
