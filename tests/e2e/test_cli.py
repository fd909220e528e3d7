"""test_cli - the command as an admin meets it: words, exit status, pipes
SPDX-License-Identifier: ISC

$MAILREEVE is the program, or the installed one.  For setup see test_setup.py.
"""
import json
import os
import pathlib
import shutil
import stat
import subprocess

import pytest

from milterd import POLICY, Milter

PROGRAM = os.environ.get("MAILREEVE", "mailreeve")
EXAMPLES = next((path for path in (
    pathlib.Path(__file__).parents[2] / "packaging/examples",
    pathlib.Path("/usr/share/doc/mailreeve/examples"),
    pathlib.Path("/usr/local/share/doc/mailreeve/examples"))
    if path.is_dir()), None)
VERBS = ("check", "show", "explain", "spf", "settings", "setup", "doctor",
         "reload", "status", "clock")
SPF = ("--ip", "198.51.100.7", "--helo", "out.example.org", "--from", "")
MAIL = ("--client", "198.51.100.7", "--helo", "out.example.org",
        "--from", "a@example.org")
ZONE = """\
$ORIGIN .
7.100.51.198.in-addr.arpa. 60 IN PTR out.example.org.
8.100.51.198.in-addr.arpa. 60 IN PTR false.example.org.
out.example.org. 60 IN A 198.51.100.7
false.example.org. 60 IN A 198.51.100.99
"""


def run(*args, status=0, **how):
    how = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True,
           "timeout": 60} | how
    ran = subprocess.run([PROGRAM, *map(str, args)], **how)
    assert ran.returncode == status, (args, ran)
    return ran


def columns(text):
    """{setting: (value, who set it, where)} of show."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()]
            for line in text.splitlines()]
    return {row[0]: tuple(row[1:]) for row in rows if len(row) == 4}


@pytest.fixture
def policy(tmp_path):
    """policy(text): the path of such a policy."""
    def write(text=POLICY):
        path = tmp_path / "mailreeve.conf"
        path.write_text(text)
        return path
    return write


# --- verbs and options --------------------------------------------------------

def test_help_names_every_verb():
    text = run("--help").stdout
    assert run("help").stdout == run("-h").stdout == text
    for verb in VERBS:
        assert f"\n  {verb} " in text


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb):
    text = run("help", verb).stdout
    assert text.startswith(f"usage: mailreeve {verb} ")
    assert run(verb, "--help").stdout == text
    assert max(map(len, text.splitlines())) <= 82


def test_version():
    assert run("--version").stdout.startswith("mailreeve 0.")


@pytest.mark.parametrize("args, said", [
    ([], "usage: mailreeve VERB"),
    (["chekc"], 'did you mean "check"?'),
    (["frobnicate"], "there are:\n  check\n"),
    (["--frobnicate"], 'no option "--frobnicate"'),
    (["help", "sho"], 'did you mean "show"?'),
    (["check", "--confg", "x"], 'no option "--confg"; did you mean "config"?'),
    (["check", "-x"], "no option -x"),
    (["check", "-c"], "--config needs a value: --config FILE"),
    (["check", "-c", ""], "which file?"),
    (["check", "more"], '"more" is one operand too many'),
    (["explain", "--json=yes"], "--json takes no value"),
    (["explain", "--client", "1.2.3"], '--client 1.2.3: "1.2.3" is not'),
    (["explain", *MAIL], "--rcpt ADDRESS is missing"),
    (["explain", "--size", "lots"], '--size lots: "lots" is not a size'),
    (["explain", "--size", "unlimited"], "a mail has a size"),
    (["explain", "--tls", "SSLv3"], "there are TLSv1, TLSv1.1"),
    (["explain", "--port", "0"], "--port 0"),
    (["explain", "--header", "Subject"], "a header is one line"),
    (["spf", "--helo", "a", "--from", "b@c"], "--ip IP is missing"),
    (["spf", "--ip", "1.2.3"], '--ip 1.2.3: "1.2.3" is not'),
    (["spf", "--wait", "soon"], '--wait soon: "soon" is not'),
    (["spf", *SPF, "--dns", "::1", "--zone", "x"], "exclude each other"),
    (["settings", "mesage"], 'did you mean "message"?'),
    (["setup"], "postfix or dovecot?"),
    (["setup", "postfx"], 'did you mean "postfix"?'),
    (["setup", "postfix", "--conf"], "--conf is for dovecot"),
    (["setup", "dovecot", "--main-cf"], "are for postfix"),
    (["setup", "postfix", "--main-cf", "--master-cf"], "exclude each other"),
    (["setup", "dovecot", "--aliases"], "are for postfix"),
], ids=" ".join)
def test_wrong_usage(args, said):
    ran = run(*args, status=2)
    assert said in ran.stderr and ran.stdout == ""
    assert "See: mailreeve" in ran.stderr or not args


def test_terminals_are_not_obeyed():
    ran = run("check", "--\033[31mred", status=2)
    assert "\033" not in ran.stderr and "?[31mred" in ran.stderr


def test_output_that_nobody_reads_ends_quietly():
    with subprocess.Popen([PROGRAM, "settings"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as ran:
        ran.stdout.close()
        assert ran.stderr.read() == b""


def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        assert "cannot write" in run("settings", status=75, stdout=full,
                                     capture_output=False,
                                     stderr=subprocess.PIPE).stderr


# --- check ----------------------------------------------------------------------

def test_check_of_a_good_policy(policy):
    path = policy()
    ran = run("check", "-c", path)
    assert ran.stdout == f"{path}: ok, 5 sections, 0 warnings\n"
    assert ran.stderr == ""


def test_check_shows_all_mistakes_with_their_places(policy):
    path = policy("hostnam = a.example\nmessage {\n\tsize = big\n}\n")
    ran = run("check", "-c", path, status=2)
    assert f"{path}:1:1: error: " in ran.stderr
    assert 'did you mean "hostname"?' in ran.stderr
    assert f"{path}:3:" in ran.stderr
    assert ran.stderr.endswith("2 errors\n") and ran.stdout == ""


def test_check_of_no_file(tmp_path):
    assert "No such file" in run(
        "check", "-c", tmp_path / "none", status=2).stderr


def test_check_warns(policy):
    path = policy(POLICY + """\
group one {
	members = inline:{ big@net.example=x }
}
group two {
	members = inline:{ big@net.example=x }
}
group missing {
	members = texthash:/nonexistent/members
}
exception old {
	client = 192.0.2.1
	skip   = helo
	until  = 2020-01-31
}
""")
    ran = run("check", "-c", path)
    assert ran.stdout.endswith(", 3 warnings\n")
    assert "big@net.example is in the groups one and two" in ran.stderr
    assert "/nonexistent/members" in ran.stderr
    assert "exception old has expired" in ran.stderr
    assert "until  = 2020-01-31" in ran.stderr


def test_check_of_what_only_the_milter_does(policy):
    text = POLICY + """\
list all@net.example {
	senders = own-domain
}
scanner spam {
	header = X-Spam-Flag: YES
	folder = Spam
}
"""
    assert run("check", "-c", policy(text)).stdout.endswith(", 0 warnings\n")
    ran = run("check", "-c", policy("judge = policyd\n" + text))
    assert ran.stdout.endswith(", 2 warnings\n")
    for section in "list all@net.example", "scanner spam":
        assert f"{section} is for mail that the milter judges" in ran.stderr
    by_one = "listener 587 {\n\tjudge = milter\n}\n"
    assert run("check", "-c", policy("judge = policyd\n" + text + by_one)
               ).stdout.endswith(", 0 warnings\n")


def test_check_of_lists(policy):
    path = policy(POLICY + """\
list all@elsewhere.example {
	senders = own-domian
}
list all@* {
	members = texthash:/nonexistent/members
}
""")
    ran = run("check", "-c", path, status=2)
    assert 'did you mean "own-domain"?' in ran.stderr
    path.write_text(path.read_text().replace("domian", "domain"))
    ran = run("check", "-c", path)
    assert ran.stdout.endswith(", 2 warnings\n")
    assert "list all@elsewhere.example is nobody's address" in ran.stderr
    assert "texthash:/nonexistent/members" in ran.stderr
    for title in ("*@net.example", "@net.example", "net.example", "all@"):
        path.write_text(f"{POLICY}list {title} {{\n\tmost = 5\n}}\n")
        assert "a list is called by its address" in run(
            "check", "-c", path, status=2).stderr
    path.write_text("list all@* {\n\tmost = 5\n}\n")
    assert "set domains and mailboxes" in run(
        "check", "-c", path, status=2).stderr


@pytest.mark.skipif(EXAMPLES is None, reason="the examples are not here")
def test_the_examples_are_good():
    examples = sorted(EXAMPLES.glob("*.conf"))
    assert len(examples) >= 6
    for path in examples:
        assert ": ok, " in run("check", "-c", path).stdout


# --- show -----------------------------------------------------------------------

def test_show_for_everybody(policy):
    path = policy()
    shown = columns(run("show", "-c", path).stdout)
    assert shown["message.size"] == ("1M", "global", f"{path}:7")
    assert shown["check helo.action"] == ("reject", "global", f"{path}:10")
    assert shown["mode"] == ("enforce", "default", "-")


def test_show_has_every_setting(policy):
    path = policy(POLICY + "listener 25 {\n}\ngroup g {\n\tmembers = "
                  "inline:{ a@b.example=x }\n}\ndomain d.example {\n}\n"
                  "purge Trash {\n\tafter = 9d\n}\nexception e {\n\t"
                  "helo = x\n\tskip = helo\n}\ndnsbl bl.example {\n}\n"
                  "dnswl wl.example {\n}\nlist all@* {\n}\n"
                  "scanner spam {\n\theader = X-Spam-Flag: YES\n}\n"
                  "rate login {\n}\n")
    names = run("settings", "--names").stdout.split("\n")[:-1]
    shown = run("show", "-c", path).stdout
    titles = {"listener": "25", "group": "g", "domain": "d.example",
              "purge": "Trash", "exception": "e", "dnsbl": "bl.example",
              "dnswl": "wl.example", "list": "all@*", "scanner": "spam",
              "rate": "login"}
    for name in names:
        section, dot, option = name.partition(".")
        if section in titles:
            name = f"{section} {titles[section]}.{option}"
        assert f"\n{name}  " in shown, name


def test_show_an_address(policy):
    path = policy()
    ran = run("show", "-c", path, "Big+Detail@NET.example")
    assert ran.stdout.startswith("big+detail@net.example\n")
    assert "the mailbox big@net.example" in ran.stdout
    assert columns(ran.stdout)["message.size"] == (
        "2M", "user big@net.example", f"{path}:17")


def test_show_several_addresses(policy):
    path = policy()
    both = run("show", "-c", path, "ann@net.example", "big@net.example").stdout
    assert both == "\n".join(run("show", "-c", path, f"{name}@net.example").stdout
                             for name in ("ann", "big"))


def test_show_cannot_ask_the_userdb(policy):
    path = policy(POLICY.replace("mailboxes = inline", "mailboxes = userdb:"
                                 "/nonexistent/x inline"))
    shown = run("show", "-c", path, "ann@net.example").stdout
    assert "a quota of the userdb's own, which cannot be asked now" in shown


def test_show_on_a_listener(policy):
    path = policy(POLICY + "listener 587 {\n\tmessage {\n\t\tsize = 3M\n\t}\n}\n")
    shown = columns(run("show", "-c", path, "--listener", 587,
                        "ann@net.example").stdout)
    assert shown["message.size"][:2] == ("3M", "listener 587")
    ran = run("show", "-c", path, "--listener", "26", "ann@net.example")
    assert 'no "listener 26"' in ran.stderr


@pytest.mark.parametrize("address, what", [
    ("ann@net.example", "a mailbox"),
    ("nobody@net.example", "unknown: its domain is hosted"),
    ("x@elsewhere.example", "not in a hosted domain"),
    ("info@net.example", "alias to ann@net.example, and to x@elsewhere.example"),
    ("out@net.example", "alias to x@elsewhere.example on other hosts"),
    ("ALL+x@net.example", "the list all@net.example of 2 mailboxes: "
     "ann@net.example, big@net.example"),
    ("staff@net.example", "alias to the list all@net.example of 2 mailboxes: "
     "ann@net.example, big@net.example, and to x@elsewhere.example on other"),
])
def test_show_says_what_an_address_is(policy, address, what):
    path = policy(POLICY.replace("\tmailboxes", """\
	aliases = inline:{ { info@net.example = ann@net.example, x@elsewhere.example }, out@net.example=x@elsewhere.example, { staff@net.example = x@elsewhere.example, all@net.example } }
	mailboxes""") + "list all@* {\n\tsenders = anyone\n}\n")
    assert what in run("show", "-c", path, address).stdout


def test_show_when_tables_are_broken(policy):
    path = policy(POLICY.replace("mailboxes = inline", "mailboxes = texthash"
                                 ":/nonexistent/x inline") +
                  "group g {\n\tmembers = texthash:/nonexistent/g\n}\n")
    shown = run("show", "-c", path, "nobody@net.example").stdout
    assert "cannot tell now: " in shown and "perhaps" in shown


@pytest.mark.parametrize("address", ["bob", "@", "a b@c.example", ""])
def test_show_no_address(policy, address):
    run("show", "-c", policy(), address, status=2)


def test_colours_only_on_a_terminal(policy):
    path = policy()
    assert "\033" not in run("show", "-c", path).stdout
    command = f"{PROGRAM} show -c {path}"
    if shutil.which("script"):
        for no_color, wanted in (("", True), ("1", False)):
            ran = subprocess.run(
                ["script", "-qc", command, "/dev/null"], text=True,
                capture_output=True, stdin=subprocess.DEVNULL,
                env=os.environ | {"NO_COLOR": no_color, "TERM": "xterm"})
            assert ("\033" in ran.stdout) is wanted


# --- settings -------------------------------------------------------------------

def test_settings():
    names = run("settings", "--names").stdout.split("\n")[:-1]
    assert len(names) == len(set(names)) > 50
    assert {"hostname", "message.size", "check helo.action"} <= set(names)
    text = run("settings").stdout
    assert text.count("\n    hostname ") == 1
    assert max(map(len, run("settings", "message").stdout.splitlines())) < 80
    for section in ("helo", "check helo"):
        assert run("settings", *section.split()).stdout.startswith("check helo")
    assert run("settings", "--names", "check").stdout.startswith("check auth.")
    assert run("settings", "global").stdout.startswith("at the top of the file")


# --- explain --------------------------------------------------------------------

def explain(path, *args, status=0):
    return json.loads(run("explain", "-c", path, "--json", *MAIL, *args,
                          status=status).stdout)


def test_explain_json(policy):
    path = policy()
    said = explain(path, "--rcpt", "nobody@net.example", status=1)
    assert list(said) == ["verdict", "code", "enhanced", "text", "rule", "at",
                          "recipients", "trace"]
    assert (said["verdict"], said["code"], said["enhanced"], said["rule"],
            said["at"]) == ("reject", 550, "5.1.1", "recipient.unknown",
                            f"{path}:13")
    recipient, = said["recipients"]
    assert list(recipient) == ["address", "verdict", "code", "enhanced",
                               "text", "rule", "at", "mailboxes", "remotes",
                               "members"]
    assert recipient["mailboxes"] == []
    assert recipient["text"] == said["text"]
    for trace in said["trace"]:
        assert list(trace) == ["check", "stage", "recipient", "finding",
                               "detail", "action", "why", "at"]
        assert trace["finding"] in ("skip", "clear", "hit", "unsure")
    hit, = [t for t in said["trace"] if t["finding"] == "hit" and
            t["check"] != "mx"]         # which is observed by default
    assert hit["check"] == "recipient" and hit["at"] == f"{path}:13"


def test_explain_json_of_an_accepted_mail(policy):
    said = explain(policy(), "--rcpt", "ann@net.example")
    assert said["verdict"] == "accept"
    assert [said[n] for n in ("code", "enhanced", "text", "rule", "at")] == (
        [None] * 5)
    assert said["trace"][-1]["stage"] == "eom"


def test_explain_stops_where_smtp_stops(policy):
    said = explain(policy(), "--rcpt", "ann@net.example", "--size", "3M",
                   status=1)
    assert said["recipients"] == [] and said["code"] == 552
    assert {t["stage"] for t in said["trace"]} == {"mail"}
    said = explain(policy(), "--rcpt", "no@net.example", status=1)
    assert "eom" not in {t["stage"] for t in said["trace"]}


def test_explain_in_words(policy):
    path = policy()
    ran = run("explain", "-c", path, *MAIL, "--rcpt", "ann@net.example",
              "--rcpt", "no@net.example")
    assert ran.stdout.startswith("accept for 1 of 2 recipients\n")
    assert "    reject: 550 5.1.1 " in ran.stdout
    assert f"rule recipient.unknown, set at {path}:13" in ran.stdout
    assert "Asked at RCPT for no@net.example" in ran.stdout
    assert "Asked at the end of the mail for ann@net.example" in ran.stdout


def test_explain_sizes(policy):
    path = policy()
    to = ("--rcpt", "ann@net.example")
    assert explain(path, *to, "--size", "1M")["verdict"] == "accept"
    assert explain(path, *to, "--size", "1048577", status=1)["code"] == 552
    said = explain(path, *to, "--size", "1K", "--true-size", "2M", status=1)
    assert said["trace"][-1]["stage"] == "eom"
    # A header of 10 octets, its line end, and the empty line.
    trace = explain(path, *to, "--header", "Subject: x")["trace"]
    asked, = (a for a in trace if a["stage"] == "eom" and a["check"] == "size")
    assert asked["detail"].startswith("14 octets")


@pytest.mark.parametrize("client, name, verdict", [
    ("198.51.100.7", None, "accept"),
    ("198.51.100.8", None, "reject"),   # the name has another address
    ("198.51.100.9", None, "reject"),   # it has no name
    ("198.51.100.9", "out.example.org", "accept"),
])
def test_explain_finds_the_name_in_a_zone(
        policy, tmp_path, client, name, verdict):
    zone = tmp_path / "zone"
    zone.write_text(ZONE)
    path = policy(POLICY + "exception partner {\n\tclient_name = "
                  "out.example.org\n\tskip = helo\n}\n")
    args = ["--rcpt", "ann@net.example", "--client", client, "--helo", "local",
            "--zone", zone] + (["--client-name", name] if name else [])
    assert explain(path, *args, status=verdict == "reject")[
        "verdict"] == verdict


def test_explain_with_a_bad_zone(policy, tmp_path):
    zone = tmp_path / "zone"
    zone.write_text("what is this\n")
    ran = run("explain", "-c", policy(), *MAIL, "--rcpt", "ann@net.example",
              "--zone", zone, status=2)
    assert str(zone) in ran.stderr


def test_explain_with_a_dead_server(policy):
    ran = run("explain", "-c", policy("wait = 1s\n" + POLICY), *MAIL, "--rcpt",
              "ann@net.example", "--dns", "127.0.0.1:9")
    assert "the client's name is unknown: the name of 198.51.100.7" in ran.stdout


# --- reload and status --------------------------------------------------------------

def test_without_a_milter(policy, tmp_path):
    path = policy(f"{POLICY}milter {{\n\tcontrol = {tmp_path}/none\n}}\n")
    assert "does not answer" in run("status", "-c", path, status=75).stderr
    ran = run("reload", "-c", path, "--state-dir", tmp_path, status=75)
    assert "was not told" in ran.stderr and "published" in ran.stdout
    assert (tmp_path / "mailbox.conf").exists()


def test_reload(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with Milter(tmp_path) as milter:
        loaded = milter.status()["loaded"]
        ran = run("reload", "-c", milter.path, "--state-dir", state)
        assert "milter: reloaded" in ran.stdout and ran.stderr == ""
        assert milter.status()["loaded"] >= loaded
        published, = state.iterdir()
        assert stat.S_IMODE(published.stat().st_mode) == 0o644
        assert "user big@net.example {" in published.read_text()
        before = published.read_text()

        milter.write(POLICY + "mesage {\n}\n")
        ran = run("reload", "-c", milter.path, "--state-dir", state, status=2)
        assert 'did you mean "message"' in ran.stderr
        assert "nothing was changed" in ran.stderr
        assert published.read_text() == before

        milter.write(POLICY.replace("2M", "4M"))
        run("reload", "-c", milter.path, "--state-dir", state)
        assert "size = 4M" in published.read_text()
        assert [path.name for path in state.iterdir()] == ["mailbox.conf"]


def test_reload_of_another_file(tmp_path):
    with Milter(tmp_path) as milter:
        other = tmp_path / "other.conf"
        shutil.copy(milter.path, other)
        ran = run("reload", "-c", other, "--state-dir", tmp_path, status=2)
        assert f"the running milter reads {milter.path}, not" in ran.stderr
        assert not (tmp_path / "mailbox.conf").exists()


def test_reload_that_cannot_publish(tmp_path):
    with Milter(tmp_path) as milter:
        ran = run("reload", "-c", milter.path, "--state-dir",
                  tmp_path / "none", status=75)
        assert "nothing was changed; cannot publish" in ran.stderr


def test_what_is_published_is_a_policy(policy, tmp_path):
    path = policy(f"milter {{\n\tcontrol = {tmp_path}/none\n}}\n" +
                  POLICY + "purge \"Deleted Items\" Spam {\n\tafter = 14d\n}\n"
                  "domain d.example {\n\tmailbox {\n\t\tquota = 5G\n\t}\n}\n")
    run("reload", "-c", path, "--state-dir", tmp_path, status=75)
    run("check", "-c", tmp_path / "mailbox.conf")
    for address in ("a@d.example", "big@net.example"):
        whole, published = (columns(run("show", "-c", p, address).stdout)
                            for p in (path, tmp_path / "mailbox.conf"))
        for name, shown in whole.items():
            if name.split(".")[0].split(" ")[0] in ("mailbox", "purge", "keep"):
                assert published[name][:2] == shown[:2]


def test_status(tmp_path):
    with Milter(tmp_path) as milter:
        text = run("status", "-c", milter.path).stdout
        assert "\npolicy " in text and milter.path in text
        said = json.loads(run("status", "-c", milter.path, "--json").stdout)
        assert said["pid"] == milter.pid and said["sessions"] == 0
        milter.write("mesage {\n}\n")
        ran = subprocess.run([PROGRAM, "status", "-c", milter.path], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL)
        assert "see: mailreeve check" in ran.stderr
