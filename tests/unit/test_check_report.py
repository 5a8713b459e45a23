"""Reading a finished page back: what must be found, and a page in which nothing is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import report_example

from outcomes.report.leaks import find_leaks
from outcomes.report.page import AUDIENCES, pack, render_page

SCRIPT = "document.title = 'x';"
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'sha256-{DIGEST}'; connect-src 'none'; form-action 'none';"
    " base-uri 'none'"
)
STRICT = "<dd>Profile strict: no number of people from 1 to 10 is shown</dd>"


def _page(
    body: str = "",
    *,
    policy: str | None = POLICY,
    profile: str = STRICT,
    head: str = "",
    data: object = None,
) -> str:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    packed = pack(json.dumps(data).encode())
    held = f'<script type="application/octet-stream" id="data" data-bytes="{packed.n_bytes}">'
    return (
        f"<!doctype html><html><head>{meta}{head}</head><body>{body}{profile}\n"
        f"{held}{packed.text}</script>\n<script>{SCRIPT}</script></body></html>"
    )


def _table(heading: str, value: str) -> str:
    head = f"<thead><tr><th>Type</th><th>{heading}</th></tr></thead>"
    return f"<table>{head}<tbody><tr><th>a</th><td>{value}</td></tr></tbody></table>"


def test_a_clean_page_has_no_findings() -> None:
    body = _table("Episodes", "1,245") + "<p>fewer than 11 people, 40 % of 315 episodes</p>"
    assert find_leaks(_page(body, data={"x": ["n 720 against 445", "n 1,720 against 1,445"]})) == []


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_invented_report_has_no_findings(audience: str) -> None:
    assert find_leaks(render_page(report_example.release(), audience=audience)) == []


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (_table("Episodes", "7"), "1 counts from 1 to 10 stand in a table"),
        (_table("Events", "1,243"), "1 counts in a table are not rounded to 5"),
        ('<table><tr><td data-l="Rows">3</td></tr></table>', "from 1 to 10 stand in a table"),
        ("<p>Only 4 patients fell.</p>", "1 counts from 1 to 10 stand in a sentence"),
        ("<th>Exercise<span>n 9</span></th>", "1 counts from 1 to 10 stand in a sentence"),
        ("<p>Of 3,418 episodes</p>", "1 counts in a sentence are not rounded to 5"),
        ("<p>Ask jo.doe@clinic.example</p>", "an e-mail address"),
        ("<p>078-05-1120</p>", "a social security number"),
        ("<p>Call (555) 010-9999 or 555-010-9999</p>", "a phone number"),
        ("<p>patient_id 81723</p>", "a record number"),
        ("<p>born 1961-03-04, seen 2024-05-06</p>", "a date"),
        ("<p>read from /home/someone/records</p>", "a path of a machine"),
        ('<img src="https://example.org/a.png">', "src leads outside"),
        ('<img src="//example.org/a.png">', "src leads outside"),
        ('<a href="javascript:alert(1)">x</a>', "href leads outside"),
        ('<p onclick="x()">x</p>', "onclick runs a script"),
        ('<p style="background:url(https://example.org/x)">x</p>', "style asks for something"),
        ("<style>@import 'x.css';</style>", "A style asks for something outside"),
        ("<iframe></iframe>", "an element <iframe>"),
        ("<form></form>", "an element <form>"),
        ("<script>fetch('x')</script>", "A script of the page makes requests"),
        ("<script>1</script>", "A script is not named in the content security policy"),
        ("<svg>" + "<circle/>" * 1501 + "</svg>", "more than 1,500 marks"),
    ],
)
def test_what_should_not_be_there_is_found(body: str, finding: str) -> None:
    found = find_leaks(_page(body))
    assert any(finding in line for line in found), found


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        ({"text": ["n 4 against 300"]}, "from 1 to 10 stand in a sentence"),
        ({"text": ["n 400 against 6"]}, "from 1 to 10 stand in a sentence"),
        ({"text": ["n 1,400 against 6"]}, "from 1 to 10 stand in a sentence"),
        ({"who": {"a@b.example": 1}}, "an e-mail address"),
        ({"rows": [[float(k) for k in range(201)]]}, "1 lists in the page's data"),
        ({"config": {"showSendToCloud": True}}, "upload button"),
        ({"config": {"plotlyServerURL": "https://chart.example"}}, "upload button"),
    ],
)
def test_packed_data_is_read_too(data: object, finding: str) -> None:
    found = find_leaks(_page(data=data))
    assert any(finding in line for line in found), found


@pytest.mark.parametrize(
    ("policy", "finding"),
    [
        (None, "no content security policy"),
        (POLICY.replace("default-src 'none'", "default-src *"), "does not close default-src"),
        (POLICY.replace("connect-src 'none'; ", ""), "does not close connect-src"),
        (POLICY + "; img-src https://example.org", "lets img-src reach outside"),
        (POLICY.replace("script-src", "script-src 'unsafe-inline'"), "lets scripts run"),
    ],
)
def test_the_policy_must_be_closed(policy: str | None, finding: str) -> None:
    assert any(finding in line for line in find_leaks(_page(policy=policy)))


def test_findings_never_repeat_what_they_found() -> None:
    body = "<p>jo.doe@clinic.example, 078-05-1120, 7 patients</p>" + _table("Episodes", "8")
    found = " ".join(find_leaks(_page(body)))
    assert found
    for secret in ("jo.doe", "078-05", "7 patients", " 8 "):
        assert secret not in found


@pytest.mark.parametrize("profile", ["internal", "public-data"])
def test_other_profiles_may_hold_exact_counts_and_nothing_else(profile: str) -> None:
    words = f"<dd>Profile {profile}. Published.</dd>"
    assert find_leaks(_page(_table("Episodes", "7"), profile=words)) == []
    assert find_leaks(_page("<p>jo@clinic.example</p>", profile=words)) != []


def test_the_threshold_is_the_one_the_page_states() -> None:
    words = "<dd>Profile strict: no number of people from 1 to 19 is shown</dd>"
    assert find_leaks(_page(_table("Episodes", "15"), profile=words)) == [
        "1 counts from 1 to 19 stand in a table."
    ]


def test_a_page_without_a_profile_is_held_to_the_strict_one() -> None:
    found = find_leaks(_page(_table("Episodes", "7"), profile=""))
    assert len(found) == 2


@pytest.mark.parametrize("n_bytes", ["9", "x"])
def test_data_that_cannot_be_unpacked_is_a_finding(n_bytes: str) -> None:
    broken = re.sub(r'data-bytes="\d+"', f'data-bytes="{n_bytes}"', _page())
    assert any("cannot be unpacked" in line for line in find_leaks(broken))
