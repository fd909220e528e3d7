"""logs.py - logs, Postfix's queue, the name server's zone and its questions
SPDX-License-Identifier: ISC
"""
import collections
import json
import os
import re
import shutil
import subprocess
import time

MAIL_LOG = "/var/log/mail.log"
DOVECOT_LOG = "/var/log/dovecot.log"
MAILREEVE_LOG = "/var/log/mailreeve.log"
DNS_LOG = "/var/log/dns.log"
ZONE = "/run/lab/zone"

Question = collections.namedtuple("Question",
                                  "time transport type name result records")


def log_end(path):
    """A mark: log_lines(..., after=mark) looks only at what comes later."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def log_lines(path, pattern="", timeout=60, after=0, count=1):
    """The whole lines that match, as soon as there are `count' of them.

    TimeoutError, with the log's end, if they do not come.  With timeout=0:
    what is there now, even nothing.
    """
    end = time.monotonic() + timeout
    while True:
        lines = whole_lines(path, after)
        found = [line for line in lines if re.search(pattern, line)]
        if len(found) >= count or timeout == 0:
            return found
        if time.monotonic() > end:
            raise TimeoutError("\n".join(
                [f"{path}: no line matches {pattern!r}; its end:"] +
                lines[-20:]))
        time.sleep(0.02)


def whole_lines(path, after):
    try:
        with open(path, "rb") as file:
            file.seek(after)
            text = file.read()
    except FileNotFoundError:
        return []
    text = text[:text.rfind(b"\n") + 1]     # the last one may still grow
    return text.decode("utf-8", "backslashreplace").splitlines()


def queue():
    """Postfix's queue, as postqueue -j tells it: a list of dictionaries."""
    out = subprocess.run(["postqueue", "-j"], check=True, text=True,
                         capture_output=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def wait_for_queue(timeout=60):
    """Wait until all mail is delivered or deferred; gives what is left."""
    end = time.monotonic() + timeout
    while True:
        left = queue()
        if all(m["queue_name"] in ("deferred", "hold") for m in left):
            return left
        if time.monotonic() > end:
            raise TimeoutError(f"still in the queue: {left}")
        time.sleep(0.02)


def dns_log(name="", after=0):
    """The questions that the name server got, for a name and below it."""
    below, found = "." + name.lower().rstrip("."), []
    for line in whole_lines(DNS_LOG, after):
        words = line.split()
        if len(words) == 6 and words[1] in ("udp", "tcp"):
            question = Question(float(words[0]), *words[1:5], int(words[5]))
            if below == "." or ("." + question.name).endswith(below):
                found.append(question)
    return found


def dns_reset():
    """Forget the questions so far."""
    os.truncate(DNS_LOG, 0)


def zone_add(text):
    """Add records or directives to the name server's zone, at once."""
    write_zone(open(ZONE).read() + "\n" + text + "\n")


def zone_reset():
    """Back to the zone that the world started with."""
    write_zone(open(os.path.join(os.path.dirname(__file__), "zone")).read())


def write_zone(text):
    with open(ZONE + ".new", "w") as file:
        file.write(text)
    shutil.move(ZONE + ".new", ZONE)        # never read by halves
