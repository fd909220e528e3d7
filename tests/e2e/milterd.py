"""milterd - a mailreeve-milter of its own for a test, in a folder of its own
SPDX-License-Identifier: ISC

MAILREEVE_MILTER names another program than the installed one.  It runs as the
user of the tests, logs to FOLDER/log, and what a sanitizer finds in it fails
the test that stops it.  Daemon is what it shares with policyd.py.
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from world.logs import log_lines                                # noqa: E402
from world.message import mail                                  # noqa: E402
from world.milter import MilterClient                           # noqa: E402

PROGRAM = os.environ.get("MAILREEVE_MILTER", "/usr/sbin/mailreeve-milter")
POLICY = """\
hostname = mx.test.example
maps {
	domains = inline:{ net.example=x }
	mailboxes = inline:{ ann@net.example=x, big@net.example=x }
}
message {
	size = 1M
}
check helo {
	action = reject
}
check recipient {
	action = reject
}
user big@net.example {
	message {
		size = 2M
	}
}
"""
SENDER, ANN = "<s@example.org>", "<ann@net.example>"
CLIENT = ("out.example.org", "198.51.100.7")
FINDINGS = r"(Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error:"


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def stopped(pid):
    """All its threads: one may read until it is told."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: all(
            "\nState:\tT" in path.read_text() for path in
            pathlib.Path(f"/proc/{pid}/task").glob("*/status")), "it stops")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def status_of(pid):
    """The fields of /proc/PID/status; sizes in KB."""
    with open(f"/proc/{pid}/status") as file:
        pairs = (line.split(":", 1) for line in file)
        return {name: value.split()[0] for name, value in pairs
                if value.strip()}


class Daemon:
    """policy: the text of the file; where: the `socket`, unix by default; args:
    of the program; command: in front of it; Popen's own options."""
    program = section = None
    own = ""               # more of its section; {} is the folder

    def __init__(self, folder, policy=POLICY, where=None, args=(), command=(),
                 user="root", control=None, ready=True, **popen):
        self.folder = str(folder)
        self.path = f"{folder}/mailreeve.conf"
        self.where = where or f"unix:{folder}/{self.section}"
        self.control = control or f"{folder}/control"
        self.log = f"{folder}/log"
        self.user = user
        self.process = None
        self.write(policy)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, self.program, "-c", self.path, "--stderr", *args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **popen)
        self.pid = self.process.pid
        if ready:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        wait_until(lambda: self.process.poll() is not None or
                   self.lines(r": version \S+ ready on "), "ready", seconds)
        assert self.process.poll() is None, self.text()

    def write(self, policy):
        """The policy file, replaced as a whole, as an editor does."""
        with open(self.path + ".new", "w") as file:
            file.write(f"{policy}\n{self.section} {{\n\tsocket = {self.where}\n"
                       f"\tcontrol = {self.control}\n"
                       f"{self.own.format(self.folder)}"
                       f"\tuser = {self.user}\n}}\n")
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)

    def text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def lines(self, pattern, timeout=0, count=1):
        return log_lines(self.log, pattern, timeout=timeout, count=count)

    def ask(self, request=b"status\n", seconds=60):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(seconds)
            sock.connect(self.control)
            sock.sendall(request)
            return receive_all(sock).decode().splitlines()

    def status(self):
        lines = self.ask()
        assert lines[0] == "ok", lines
        return dict(line.split("=", 1) for line in lines[1:])

    def reload(self, done=r"reloaded$|running policy stays"):
        before = len(self.lines(done))
        self.process.send_signal(signal.SIGUSR1)
        self.lines(done, timeout=60, count=before + 1)

    def sanitized(self):
        """Sanitizers reserve terabytes of addresses."""
        return int(status_of(self.pid)["VmSize"]) > 1 << 30

    def stop(self, how=signal.SIGTERM, seconds=60):
        """Its exit status; once more is fine."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(seconds)
        found = [line for line in self.text().splitlines()
                 if re.search(FINDINGS, line)]
        assert not found, self.text()
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            assert self.stop() == 0, self.text()
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait(10)
        print(self.text()[-5000:])


class Milter(Daemon):
    program, section = PROGRAM, "milter"

    def client(self, **how):
        return MilterClient(self.where, **how)

    def session(self, helo="out.example.org", client=CLIENT, **how):
        """A client that has said connect and HELO, on port 25."""
        m = self.client(**how)
        m.connect(*client, macros={"{daemon_port}": "25",
                                   "{daemon_name}": "smtpd"})
        m.helo(helo)
        return m


def deliver(m, message=None, to=(ANN,)):
    """A whole mail over a session; the reply that ends it."""
    assert m.mail(SENDER).ok
    for recipient in to:
        assert m.rcpt(recipient).ok
    return m.message(message or mail("ann@net.example"))


def works(milter):
    m = milter.session()
    assert deliver(m).ok
    m.quit()


def receive_all(sock):
    octets = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65536):
            octets += more
    return octets


def packet(command, octets=b""):
    return struct.pack("!I", len(octets) + 1) + command + octets


def negotiation(steps=0x1fffff, actions=0x1ff):
    return packet(b"O", struct.pack("!III", 6, actions, steps))
