"""senderworld - policies that ask about senders, and who answers them
SPDX-License-Identifier: ISC
"""
import contextlib
import pathlib
import shutil
import subprocess
import time

from world.postfix import reload_postfix

FOLDER = pathlib.Path("/var/spool/postfix/bench")       # of sockets
CONFIG = pathlib.Path("/etc/mailreeve")
ADDRESS = "192.0.2.54"
RESOLV_CONF = [pathlib.Path("/etc/resolv.conf"),
               pathlib.Path("/var/spool/postfix/etc/resolv.conf")]


def run(*args):
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


def lists(count):
    return [f"list{n}.example" for n in range(1, count + 1)]


def list_sections(count):
    return "".join(f"dnsbl {zone} {{\n}}\n" for zone in lists(count))


def socket_of(name):
    """Where a milter shall listen, whoever it runs as."""
    FOLDER.mkdir(exist_ok=True)
    FOLDER.chmod(0o777)
    return FOLDER / f"{name}.sock"


def wait_for_socket(name):
    """Then everybody may connect to it."""
    path = socket_of(name)
    end = time.monotonic() + 20
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.01)
    path.chmod(0o666)


def free_socket(name):
    """The same, without what one before left there."""
    path = socket_of(name)
    path.unlink(missing_ok=True)
    return path


@contextlib.contextmanager
def program(*args):
    """Runs until the end of the block."""
    with subprocess.Popen(args, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextlib.contextmanager
def null(name, *options):
    with program("/run/bench/null-milter", f"unix:{free_socket(name)}",
                 *options):
        wait_for_socket(name)
        yield


@contextlib.contextmanager
def ours(name, policy):
    """One more milter of ours."""
    path = CONFIG / f"bench-{name}.conf"
    path.write_text(f"{policy}milter {{\n\tsocket = unix:{free_socket(name)}\n"
                    f"\tcontrol = /run/mailreeve/bench-{name}.control\n}}\n")
    shutil.chown(path, group="mailreeve")
    path.chmod(0o640)
    with program("mailreeve-milter", "-c", str(path)):
        wait_for_socket(name)
        yield


def add_port(port, milter, *options):
    """Of Postfix; `milter' is the name of one of them, or None."""
    run("postconf", "-M", f"{port}/inet={port} inet n - y - 100 smtpd")
    where = f"unix:bench/{milter}.sock" if milter else ""
    for option in (f"smtpd_milters={where}", *options):
        run("postconf", "-P", f"{port}/inet/{option}")


@contextlib.contextmanager
def answers(milliseconds):
    """All of the world asks answers.py; gives the path of its log."""
    log = pathlib.Path(f"/run/lab/answers-{milliseconds}.log")
    before = [path.read_text() for path in RESOLV_CONF]
    with program("/tests/bench/answers.py", ADDRESS, str(milliseconds),
                 str(log)) as process:
        assert process.stdout.readline() == b"ready\n"
        for path in RESOLV_CONF:
            path.write_text(f"nameserver {ADDRESS}\n"
                            "options timeout:2 attempts:1\n")
        yield log
        for path, text in zip(RESOLV_CONF, before):
            path.write_text(text)
    reload_postfix()
