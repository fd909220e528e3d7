"""delivery - CPU seconds an LMTP delivery costs, with our plugin and with
Dovecot's own `count', and what a login costs under a large policy
SPDX-License-Identifier: ISC

Two Dovecots of the same world: the one with our plugin, and one without, whose
quota is the stock driver's.  All mailboxes are far from their limit.  Each
Dovecot is in a control group of its own, which counts the CPU time of all its
processes and of nothing else.  Once more ours is measured while mailreeve-policyd
listens, which stock does not tell anything; its own CPU time is not in it.

A machine's speed changes from second to second, and a process has luck with
where its memory lies.  So both take turns of a few mails, in changing order, and
each round has new processes and the other's user.  A round gives one ratio; of
all ratios the median is told, and between which two of them the true median
lies with 95 % confidence, whatever their distribution (order statistics).
"""
import contextlib
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time

STOCK = pathlib.Path("/etc/dovecot/stock.conf")
SOCKETS = {"ours": "/var/spool/postfix/private/dovecot-lmtp",
           "stock": "/run/dovecot-stock/lmtp"}
NAMES = {"ours": "our plugin", "heard": "and policyd listens",
         "stock": "stock count"}
MASTERS = {"ours": "/run/dovecot/master.pid",
           "stock": "/run/dovecot-stock/master.pid"}
DOVECOT = {"ours": "ours", "heard": "ours", "stock": "stock"}
GROUPS = pathlib.Path("/run/lab/group")
USAGE = pathlib.Path("/run/mailreeve/usage.sock")
USERS = ["bob@alpha.example", "cat@alpha.example", "ann@beta.example"]
BODY = 10 * 1024
MESSAGE = (b"From: a@sender.example\r\nSubject: x\r\n\r\n" +
           (b"0123456789" * 6 + b"\r\n") * (BODY // 62))
ROUND, TURN = 200, 20           # mails
CONFIDENCE = 0.95
STANZA = {"2.3": """\
mail_plugins = quota
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}
""", "2.4": """\
mail_plugins {
  mailreeve = no
}
protocol lmtp {
  mail_plugins {
    sieve = no
  }
}
quota "User quota" {
  driver = count
}
quota_storage_size = 1G
"""}
OURS = {"2.3": """
protocol lmtp {
  mail_plugins = quota mailreeve
}
""", "2.4": """
protocol lmtp {
  mail_plugins {
    sieve = no
  }
}
"""}


def version():
    return subprocess.check_output(["dovecot", "--version"], text=True)[:3]


def start_stock(more):
    """A Dovecot beside the world's, that serves LMTP only."""
    STOCK.write_text(
        pathlib.Path("/etc/dovecot/dovecot.conf").read_text() + f"""
base_dir = /run/dovecot-stock
instance_name = stock
protocols = lmtp
{STANZA[version()]}
service lmtp {{
  unix_listener lmtp {{
    mode = 0600
  }}
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0
  }}
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0
  }}
}}
{more}
""")
    subprocess.run(["dovecot", "-c", str(STOCK)], check=True,
                   stdin=subprocess.DEVNULL)
    while not os.path.exists(SOCKETS["stock"]):
        time.sleep(0.01)


def prepare(more=""):
    """Both run, with `more` in their settings."""
    with open("/etc/dovecot/local.conf", "a", encoding="utf-8") as file:
        file.write(OURS[version()] + more)
    subprocess.run(["doveadm", "reload"], check=True)
    start_stock(more)


class Lmtp:
    def __init__(self, dovecot):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKETS[dovecot])
        self.file = self.sock.makefile("rb")
        self.expect("220")
        self.cmd("LHLO bench.example", "250")

    def expect(self, code):
        while (line := self.file.readline().decode())[3:4] == "-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line)

    def cmd(self, line, code):
        self.sock.sendall(line.encode() + b"\r\n")
        self.expect(code)

    def deliver(self, user, message):
        self.sock.sendall(f"MAIL FROM:<a@sender.example>\r\nRCPT TO:<{user}>"
                          "\r\nDATA\r\n".encode())
        for code in ("250", "250", "354"):
            self.expect(code)
        self.sock.sendall(message + b".\r\n")
        self.expect("250")

    def quit(self):
        self.cmd("QUIT", "221")
        self.file.close()
        self.sock.close()


def processes(dovecot):
    """Its master and its children, as pids."""
    master = int(pathlib.Path(MASTERS[dovecot]).read_text())
    out = subprocess.run(["pgrep", "-P", str(master)], check=True, text=True,
                         capture_output=True).stdout
    return [master, *map(int, out.split())]


def put_into_group(dovecot):
    (GROUPS / dovecot).mkdir()
    for pid in processes(dovecot):
        with contextlib.suppress(ProcessLookupError):
            (GROUPS / dovecot / "cgroup.procs").write_text(str(pid))


def cpu_seconds(dovecot):
    with contextlib.suppress(FileNotFoundError):    # cgroup v1
        return int((GROUPS / dovecot / "cpuacct.usage").read_text()) / 1e9
    text = (GROUPS / dovecot / "cpu.stat").read_text()
    return int(text.split()[1]) / 1e6               # usage_usec


def end_lmtp(dovecot):
    """The next session gets a new process."""
    for pid in processes(dovecot)[1:]:
        with contextlib.suppress(OSError):
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
            if "/lmtp" in line:
                os.kill(pid, signal.SIGTERM)
                while os.path.exists(f"/proc/{pid}"):
                    time.sleep(0.001)


def remove_mail(user):
    local, _, domain = user.partition("@")
    shutil.rmtree(f"/var/vmail/{domain}/{local}/Maildir", ignore_errors=True)


@contextlib.contextmanager
def policyd():
    """Its socket of reports is there in some turns only."""
    with subprocess.Popen(["mailreeve-policyd"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as process:
        try:
            while not USAGE.exists():
                assert process.poll() is None
                time.sleep(0.01)
            USAGE.rename(USAGE.with_name("away"))
            yield
            status = subprocess.check_output(["mailreeve", "status"],
                                             text=True)
            assert re.search(r"reports *\d{3,} taken, 0 refused", status), \
                status
        finally:
            process.terminate()


@contextlib.contextmanager
def heard(name):
    if name == "heard":
        USAGE.with_name("away").rename(USAGE)
    yield
    if name == "heard":
        USAGE.rename(USAGE.with_name("away"))


def turn(name, lmtp, user):
    """CPU seconds a delivery."""
    with heard(name):
        before = cpu_seconds(DOVECOT[name])
        for _ in range(TURN):
            lmtp.deliver(user, MESSAGE)
        return (cpu_seconds(DOVECOT[name]) - before) / TURN


def measure(users):
    """CPU seconds a delivery by name, the mailboxes empty at first."""
    lmtps = {}
    for dovecot in SOCKETS:
        end_lmtp(dovecot)
    for name, user in users.items():
        remove_mail(user)
        lmtps[name] = Lmtp(DOVECOT[name])
        turn(name, lmtps[name], user)   # warm
    turns = {name: [] for name in users}
    for n in range(ROUND // TURN):
        for name in sorted(users, reverse=n % 2):
            turns[name].append(turn(name, lmtps[name], users[name]))
    for lmtp in lmtps.values():
        lmtp.quit()
    return {name: statistics.mean(turns[name]) for name in users}


def median_within(values):
    """Between which two of at least 6 values their true median lies: that fewer
    of n fair coins fall on one side is less likely than the rest."""
    values, n = sorted(values), len(values)
    outside, cases = 0, 2               # of 2 ** n, on either side
    while cases + 2 * math.comb(n, outside + 1) <= (1 - CONFIDENCE) * 2 ** n:
        outside += 1
        cases += 2 * math.comb(n, outside)
    return values[outside], values[-1 - outside]


def delivery_figures(count, mails):
    """A delivery, in pairs."""
    prepare()
    for dovecot in SOCKETS:
        put_into_group(dovecot)
    rounds = []
    with policyd():
        for n in range(max(6, count * mails // ROUND)):
            users = USERS[n % 3:] + USERS[:n % 3]
            rounds.append(measure(dict(zip(NAMES, users))))
    for name, what in NAMES.items():
        each = [one[name] * 1000 for one in rounds]
        yield (f"10 KB by LMTP, Dovecot {version()}, {what}",
               f"{statistics.median(each):.3f}",
               f"ms CPU, {min(each):.3f}-{max(each):.3f}", "")
    for name in ("ours", "heard"):
        pairs = [one[name] / one["stock"] for one in rounds]
        low, high = median_within(pairs)
        yield (f"  {NAMES[name]}: to stock count, CPU",
               f"{statistics.median(pairs):.3f}",
               f"95 %: {low:.3f}-{high:.3f}, {len(pairs)} rounds", "<= 1.03")


def login_figures():
    """bench_view's: the published copy, read for one user."""
    out = subprocess.run(["/run/bench/bench_view"], check=True, text=True,
                         capture_output=True, cwd="/tmp").stdout
    for line in out.splitlines():
        got = dict(word.split("=") for word in line.split())
        yield (f"policy of {int(got['domains']):,} domains, for a login",
               got["median_us"], f"us; 99 % in {got['p99_us']}", "< 1000")


def figures(count, mails):
    yield from login_figures()
    yield from delivery_figures(count, mails)
