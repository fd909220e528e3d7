"""test_setup - what `mailreeve setup' prints, given to Postfix and Dovecot
SPDX-License-Identifier: ISC

Those that are installed here read it, in directories of the test's own.  For
the lines of Dovecot's plugin see test_setup_plugin.py.
"""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest

from milterd import POLICY
from test_cli import EXAMPLES, policy, run                      # noqa: F401

LISTENERS = POLICY + """\
listener 25 {
	auth = refuse
}
listener 587 465 {
	auth = required
	tls  = TLSv1.2
}
listener 110 143 {
	login = no
}
listener 993 {
	tls = TLSv1.2
}
"""


@pytest.fixture
def postfix(tmp_path):
    """A copy of /etc/postfix; .main(), .master(): appends; .conf(): asks."""
    if not shutil.which("postconf", path="/usr/sbin"):
        pytest.skip("Postfix is not here")
    directory = tmp_path / "postfix"
    shutil.copytree("/etc/postfix", directory, ignore_dangling_symlinks=True,
                    ignore=shutil.ignore_patterns("private", "*.lmdb"))
    return Postfix(directory)


class Postfix:
    def __init__(self, directory):
        self.directory = directory
        self.environment = os.environ | {"MAIL_CONFIG": str(directory)}

    def settle(self):
        """Postfix waits while a file is only seconds old."""
        for name in ("main.cf", "master.cf"):
            os.utime(self.directory / name, (0, 0))

    def append(self, name, text):
        with open(self.directory / name, "a") as file:
            file.write(text)
        self.settle()

    def set(self, *settings):
        self.ask("-e", *settings)
        self.settle()

    def ask(self, *args):
        ran = subprocess.run(["/usr/sbin/postconf", "-c", self.directory,
                              *args], capture_output=True, text=True,
                             check=True)
        assert "fatal" not in ran.stderr, ran.stderr
        return ran.stdout

    def value(self, name):
        return self.ask("-h", name).strip()

    def setup(self, path, *args):
        return run("setup", "postfix", "-c", path, *args, env=self.environment)


def test_setup_main_cf(policy, postfix):
    postfix.set("smtpd_milters=", "non_smtpd_milters=")
    lines = postfix.setup(policy(), "--main-cf").stdout
    assert "#" not in lines
    postfix.append("main.cf", lines)
    milter = postfix.value("smtpd_milters")
    assert milter.startswith("{ unix:mailreeve/milter.sock, ")
    assert milter.endswith("default_action=tempfail }")
    assert postfix.value("non_smtpd_milters") == milter
    assert postfix.value("milter_default_action") == "tempfail"
    assert int(postfix.value("message_size_limit")) > 2 << 20
    # once more: nothing changes
    assert postfix.setup(policy(), "--main-cf").stdout == lines


def test_setup_aliases(policy, postfix):
    """Each list in each of its domains; what is there already is left out."""
    text = LISTENERS.replace("\tmailboxes", """\
	domains = inline:{ a.example=x, b.example=x, net.example=x }
	aliases = inline:{ all@a.example=all@a.example, all@b.example=ann@b.example }
	mailboxes""").replace("\tdomains = inline:{ net.example=x }\n", "") + """\
list staff@b.example {
	senders = login
}
list all@* {
	senders = own-domain
}
"""
    path = policy(text)
    lines = ["staff@b.example\tstaff@b.example", "all@b.example\tall@b.example",
             "all@net.example\tall@net.example"]
    assert postfix.setup(path, "--aliases").stdout.splitlines() == lines
    shown = postfix.setup(path).stdout
    assert "all@b.example has an alias already, to ann@b.example" in shown
    assert "#  as it is: all@a.example" in shown
    assert set(lines) < set(shown.splitlines())
    assert "Not yet" not in shown
    assert "Not yet: with mode = observe" in postfix.setup(
        policy("mode = observe\n" + text)).stdout
    assert postfix.setup(policy(), "--aliases").stdout == ""


def test_setup_keeps_other_milters(policy, postfix):
    other = "{ inet:127.0.0.1:8891, default_action=accept }, unix:dkim/x"
    postfix.set(f"smtpd_milters={other}", "non_smtpd_milters=$smtpd_milters",
                "milter_default_action=accept")
    postfix.append("main.cf", postfix.setup(policy(), "--main-cf").stdout)
    assert postfix.value("smtpd_milters").endswith(f" }}, {other}")
    assert postfix.value("non_smtpd_milters") == "$smtpd_milters"
    assert postfix.value("milter_default_action") == "accept"
    assert f"smtpd_milters = {other}" not in postfix.setup(policy()).stdout


def test_setup_on_failure(policy, postfix):
    lines = postfix.setup(policy("on_failure = accept\n" + POLICY),
                          "--main-cf").stdout
    assert "default_action=accept }" in lines


OURS = ("check_policy_service { unix:mailreeve/policy.sock, timeout=30s, "
        "{ default_action = 451 4.3.0 The policy service does not answer, "
        "please try again later } }")
ALONE = "judge = policyd\n" + POLICY
RECIPIENT = "smtpd_recipient_restrictions"
END = "smtpd_end_of_data_restrictions"


def test_setup_names_the_policy_daemon_only_where_it_is_used(policy, postfix):
    assert "check_policy_service" not in postfix.setup(policy()).stdout
    for text in (ALONE, POLICY.replace("1M", "1M\n\tverify = policyd", 1),
                 POLICY + "listener 587 {\n\tjudge = policyd\n}\n"):
        lines = postfix.setup(policy(text), "--main-cf").stdout
        assert f"{RECIPIENT} = {OURS}\n" in lines
        assert f"{END} = {OURS}\n" in lines
        assert ("smtpd_milters" in lines) == (text != ALONE)
    accepting = postfix.setup(policy("on_failure = accept\n" + ALONE),
                              "--main-cf").stdout
    assert "timeout=30s, default_action=DUNNO }" in accepting
    patient = postfix.setup(policy("wait = 25s\n" + ALONE), "--main-cf").stdout
    assert patient.count("unix:mailreeve/policy.sock, timeout=47s, ") == 2


@pytest.mark.parametrize("before, after, permit", [
    ("", OURS, None),
    ("reject_unauth_destination, reject_rbl_client x.example, permit",
     f"reject_unauth_destination, {OURS}, reject_rbl_client x.example, permit",
     None),
    ("reject_non_fqdn_recipient permit", f"reject_non_fqdn_recipient, {OURS}, "
     "permit", None),
    ("permit_mynetworks, reject_unauth_destination",
     f"permit_mynetworks, reject_unauth_destination, {OURS}",
     "permit_mynetworks"),
    ("check_policy_service unix:mailreeve/policy.sock, "
     "check_policy_service { inet:127.0.0.1:10023, timeout=5s }",
     "check_policy_service { inet:127.0.0.1:10023, timeout=5s }, " + OURS,
     None),
])
def test_setup_keeps_other_restrictions(policy, postfix, before, after, permit):
    postfix.set(f"{RECIPIENT}={before}")
    ran = postfix.setup(policy(ALONE), "--main-cf")
    assert f"{RECIPIENT} = {after}\n" in ran.stdout
    assert (f"has {permit} in front" in ran.stderr) == bool(permit)
    postfix.append("main.cf", ran.stdout)
    again = postfix.setup(policy(ALONE), "--main-cf").stdout
    assert f"{RECIPIENT} = {after}\n" in again
    undo = postfix.setup(policy(ALONE)).stdout
    if before.startswith("reject_unauth"):
        assert f"postconf -e '{RECIPIENT} = {before}'" in undo
    if not before:
        assert f"postconf -X {RECIPIENT}" in undo


def test_setup_asks_at_data_for_a_second_header(policy, postfix):
    both = ALONE + ("authentication_results {\n\tadd = yes\n"
                    "\treceived_spf = yes\n}\n")
    data = "smtpd_data_restrictions = check_policy_service"
    assert data in postfix.setup(policy(both), "--main-cf").stdout
    assert data not in postfix.setup(policy(ALONE), "--main-cf").stdout


def test_setup_warns_of_a_service_with_a_list_of_its_own(policy, postfix):
    postfix.append("master.cf", "2525 inet n - y - - smtpd\n"
                   f"  -o {RECIPIENT}=permit_mynetworks,reject\n")
    said = postfix.setup(policy(ALONE), "--main-cf").stderr
    assert f"a service in master.cf has a {RECIPIENT} of its own" in said


@pytest.mark.parametrize("socket, endpoint", [
    ("unix:/var/spool/postfix/mailreeve/m", "unix:mailreeve/m"),
    ("unix:/run/mailreeve/m", "unix:/run/mailreeve/m"),
    ("inet:8899@127.0.0.1", "inet:127.0.0.1:8899"),
    ("inet6:8899@::1", "inet:[::1]:8899"),
    ("fd:3", "unix:mailreeve/milter.sock"),
])
def test_setup_writes_sockets_as_postfix_does(policy, socket, endpoint):
    lines = run("setup", "postfix", "--main-cf", "--postfix-version", "3.7",
                "-c", policy(f"milter {{\n\tsocket = {socket}\n}}\n")).stdout
    assert f"smtpd_milters = {{ {endpoint}, " in lines


@pytest.mark.parametrize("text, limit, mailbox", [
    ("message {\n\tsize = 1M\n}\n", "2097152", "51200000"),
    ("message {\n\tsize = 100M\n}\n", "105906176", "105906176"),
    ("message {\n\tsize = unlimited\n}\n", "0", "0"),
    ("", "10240000", "51200000"),
    ("user a@b.example {\n\tmessage {\n\t\tsize = 1M\n\t}\n}\n", "10240000",
     "51200000"),
    ("user a@b.example {\n\tmessage {\n\t\tsize = 20M\n\t}\n}\n", "22020096",
     "51200000"),
])
def test_setup_sizes(policy, postfix, text, limit, mailbox):
    postfix.set("message_size_limit=10240000", "mailbox_size_limit=51200000",
                "virtual_mailbox_limit=51200000")
    postfix.append("main.cf", postfix.setup(policy(text), "--main-cf").stdout)
    assert postfix.value("message_size_limit") == limit
    assert postfix.value("mailbox_size_limit") == mailbox
    assert postfix.value("virtual_mailbox_limit") == mailbox


def test_setup_master_cf(policy, postfix):
    master = postfix.directory / "master.cf"
    kept = [line for line in master.read_text().splitlines()
            if not line.startswith(("465", "587", "26", "sub", "  -o", "\t-o"))]
    master.write_text("\n".join(kept) + "\n")
    path = policy(LISTENERS)
    postfix.append("master.cf", postfix.setup(path, "--master-cf").stdout)
    for port, wrapped in (("587", False), ("465", True)):
        service = postfix.ask("-M", f"{port}/inet")
        assert "smtpd_tls_security_level=encrypt" in service
        assert "smtpd_tls_mandatory_protocols=>=TLSv1.2" in service
        assert "smtpd_sasl_auth_enable=yes" in service
        assert ("wrappermode=yes" in service) is wrapped
    # a second service on a port would keep Postfix from starting
    again = postfix.setup(path, "--master-cf")
    assert again.stdout == ""
    assert "does all the policy asks for" in postfix.setup(path).stdout


def test_setup_says_what_a_service_lacks(policy, postfix):
    master = postfix.directory / "master.cf"
    kept = [line for line in master.read_text().splitlines()
            if not line.startswith(("465", "587", "26", "sub", "  -o", "\t-o"))]
    master.write_text("\n".join(kept + [
        "submission inet n - y - - smtpd", "  -o smtpd_sasl_auth_enable=yes",
        "26 inet n - y - - smtpd", ""]))
    postfix.set("smtpd_tls_auth_only=no")
    path = policy(LISTENERS + "listener 26 {\n\tlogin = no\n}\n")
    text = postfix.setup(path).stdout
    assert "postconf -P 'submission/inet/smtpd_tls_auth_only=yes'" in text
    assert "submission/inet/smtpd_sasl_auth_enable" not in text
    assert "postconf -MX 26/inet" in text
    ran = postfix.setup(path, "--master-cf")
    assert "587" not in ran.stdout and "submission/inet" in ran.stderr


def test_setup_postfix_likes_all_of_it(policy, postfix):
    if os.geteuid() != 0:
        pytest.skip("postfix check needs root")
    path = policy(LISTENERS)
    postfix.append("main.cf", postfix.setup(path, "--main-cf").stdout)
    postfix.append("master.cf", postfix.setup(path, "--master-cf").stdout)
    ran = subprocess.run(["/usr/sbin/postfix", "-c", postfix.directory,
                          "check"], capture_output=True, text=True)
    assert ran.returncode == 0 and "fatal" not in ran.stderr, ran.stderr


def test_setup_compares_tables(policy, postfix):
    postfix.set("virtual_mailbox_domains=hash:/etc/postfix/d, lmdb:/x/other",
                "virtual_alias_domains=", "recipient_delimiter=-",
                "virtual_alias_maps=proxy:lmdb:/x/a, memcache:/x/m",
                "virtual_mailbox_maps=")
    path = policy("maps {\n\tdomains = lmdb:/etc/postfix/d\n"
                  "\taliases = lmdb:/x/a lmdb:/x/mine\n"
                  "\tmailboxes = userdb:/run/dovecot/mailreeve-userdb\n}\n")
    text = " ".join(postfix.setup(path).stdout.replace("\n#", "").split())
    assert "virtual_mailbox_domains has lmdb:/x/other" in text
    assert "aliases } has lmdb:/x/mine" in text
    assert 'recipient_delimiter is "-", the policy\'s is "+"' in text
    assert "has hash:/etc/postfix/d" not in text
    assert "has lmdb:/x/a," not in text
    assert ("has memcache:/x/m, which the policy's maps { aliases } cannot "
            "have: the map type memcache is not supported: give the table "
            "that it is a cache of") in text


def test_setup_tables_that_the_milter_cannot_read(policy, postfix):
    try:
        pwd.getpwnam("mailreeve")
    except KeyError:
        pytest.skip("there is no user mailreeve")
    if os.geteuid() != 0:
        pytest.skip("only root can become mailreeve")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        table = pathlib.Path(directory, "table")
        table.write_text("a@alpha.example x\n")
        path = policy(f"maps {{\n\taliases = texthash:{table}\n}}\n")
        for mode, wanted in (0o600, True), (0o644, False):
            table.chmod(mode)
            said = postfix.setup(path).stdout.replace("\n#", "")
            said = " ".join(said.split())
            assert (f"The user mailreeve cannot open texthash:{table}: "
                    "Permission denied." in said) is wanted


def test_setup_for_an_old_postfix(policy):
    text = run("setup", "postfix", "-c", policy(LISTENERS),
               "--postfix-version", "3.4.5").stdout
    assert "protocols=!SSLv2,!SSLv3,!TLSv1,!TLSv1.1" in text
    for version in ("2.11", "new", "3"):
        run("setup", "postfix", "-c", policy(), "--postfix-version", version,
            status=2)


def dovecot(*lines_and_args, policy, tmp_path):
    """What doveconf makes of setup's lines behind the distribution's."""
    if not shutil.which("doveconf"):
        pytest.skip("Dovecot is not here")
    lines = run("setup", "dovecot", "-c", policy, *lines_and_args).stdout
    base = pathlib.Path("/etc/dovecot/dovecot.conf").read_text()
    config = tmp_path / "dovecot.conf"
    config.write_text(base.replace("!include conf.d", "!include "
                                   "/etc/dovecot/conf.d")
                      .replace("!include_try local", "!include_try "
                               "/etc/dovecot/local") + "\n" + lines)
    ran = subprocess.run(["doveconf", "-c", config, "-n"], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0 and "rror" not in ran.stderr, ran.stderr
    return " ".join(ran.stdout.split())


def test_setup_dovecot(policy, tmp_path):
    path = policy(LISTENERS.replace("mailboxes = inline", "mailboxes = userdb"
                                    ":/run/dovecot/mailreeve-userdb inline"))
    said = dovecot("--conf", policy=path, tmp_path=tmp_path)
    assert "inet_listener imap { port = 0 }" in said
    assert "inet_listener pop3 { port = 0 }" in said
    assert ("unix_listener mailreeve-userdb { group = mailreeve mode = 0660 "
            in said)
    said = dovecot(policy=path, tmp_path=tmp_path)
    assert "unix_listener /var/spool/postfix/private/auth {" in said
    assert "unix_listener /var/spool/postfix/private/dovecot-lmtp {" in said
    assert "ssl = required" in said and "quota_full_tempfail = yes" in said


def test_setup_dovecot_without_a_userdb(policy):
    lines = run("setup", "dovecot", "--conf", "-c", policy(),
                "--dovecot-version", "2.4.1").stdout
    assert "service" not in lines


@pytest.mark.parametrize("version, setting", [
    ("2.3.19", "disable_plaintext_auth = no"),
    ("2.4.1", "auth_allow_cleartext = yes")])
def test_setup_dovecot_in_the_clear(policy, version, setting):
    path = policy("listener 143 {\n\ttls = no\n}\n")
    text = run("setup", "dovecot", "-c", path,
               "--dovecot-version", version).stdout
    assert setting in text.splitlines() and "ssl = yes" in text.splitlines()


@pytest.mark.skipif(EXAMPLES is None, reason="the examples are not here")
def test_setup_of_the_examples(tmp_path):
    for path in EXAMPLES.glob("*.conf"):
        dovecot("--conf", policy=path, tmp_path=tmp_path)
        run("setup", "postfix", "-c", path, "--postfix-version", "3.7")
