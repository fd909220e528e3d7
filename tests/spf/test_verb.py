"""test_verb - what `mailreeve spf` prints, and its exit status
SPDX-License-Identifier: ISC
"""
import os
import subprocess

import pytest

ZONE = """\
$ORIGIN .
a.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 ~all"
b.example. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 -all exp=e.b.example"
e.b.example. 60 IN TXT "ask %{o}"
c.example. 60 IN TXT "v=spf1 ?all"
d.example. 60 IN TXT "v=spf1 wrong"
;!servfail f.example
"""
IN, OUT = "192.0.2.1", "198.51.100.1"


def run(*args):
    ran = subprocess.run([os.environ.get("MAILREEVE", "mailreeve"), "spf",
                          *args], stdin=subprocess.DEVNULL, text=True,
                         capture_output=True, timeout=60, check=False)
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture
def zone_file(tmp_path):
    path = tmp_path / "zone"
    path.write_text(ZONE)
    return str(path)


@pytest.mark.parametrize("ip, sender, status, output", [
    (IN, "x@a.example", 0, "pass  a.example: ip4:192.0.2.0/24\n"),
    (IN, "<x@a.example>", 0, "pass  a.example: ip4:192.0.2.0/24\n"),
    (IN, "", 0, "pass  a.example: ip4:192.0.2.0/24\n"),
    (IN, "<>", 0, "pass  a.example: ip4:192.0.2.0/24\n"),
    (OUT, "x@a.example", 0, "softfail  a.example: ~all\n"),
    (OUT, "x@b.example", 1, "fail  b.example: -all\nask b.example\n"),
    (OUT, "x@c.example", 0, "neutral  c.example: ?all\n"),
    (OUT, "x@d.example", 1,
     'permerror  d.example: "wrong" is not a term\n'),
    (OUT, "x@e.example", 0, "none  e.example: it has no SPF record\n"),
    (OUT, "x@f.example", 75,
     "temperror  f.example: the zone file says servfail\n"),
])
def test_output(zone_file, ip, sender, status, output):
    assert run("--zone", zone_file, "--ip", ip, "--helo", "a.example",
               "--from", sender) == (status, output, "")


def test_default_explanation(tmp_path):
    path = tmp_path / "zone"
    path.write_text('a.example. 60 IN TXT "v=spf1 -all"\n')
    args = ("--zone", str(path), "--ip", IN, "--helo", "h", "--from",
            "x@a.example")
    assert run(*args) == (1, "fail  a.example: -all\n", "")
    assert run(*args, "--default-explanation", "because") == (
        1, "fail  a.example: -all\nbecause\n", "")


@pytest.mark.parametrize("dns, said", [
    (("--zone", "/nonexistent"), "/nonexistent: No such file"),
    (("--dns", "nowhere"), "is not ADDRESS")])
def test_bad_source(dns, said):
    status, output, words = run(*dns, "--ip", IN, "--helo", "h", "--from", "")
    assert (status, output) == (2, "")
    assert said in words
