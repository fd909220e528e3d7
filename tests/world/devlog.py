#!/usr/bin/python3
"""devlog.py - the world's syslog: /dev/log to files, a line a message
SPDX-License-Identifier: ISC

usage: devlog.py     (returns when /dev/log is there)

What our programs say goes to /var/log/mailreeve.log, the rest (Postfix and
Dovecot have log files of their own, but not from their first moment) to
/var/log/syslog.  Lines stay whole, whatever their length.
"""
import os
import re
import socket

# <PRI>Mmm dd hh:mm:ss TAG[PID]: TEXT, as syslog(3) sends it
MESSAGE = re.compile(
    rb"<\d+>(\w{3} [ \d]\d [\d:]{8} )((\S+?)(\[|:|\s).*)", re.S)


def control(match):
    return b"#%03o" % match[0][0]       # rsyslog's way: a line is a line


def main():
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    host = os.uname().nodename.split(".")[0].encode() + b" "
    how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    ours = os.open("/var/log/mailreeve.log", how, 0o644)
    rest = os.open("/var/log/syslog", how, 0o644)
    if os.fork():
        os._exit(0)
    os.setsid()
    while True:
        message = sock.recv(1 << 18).rstrip(b"\n\0")
        match = MESSAGE.fullmatch(message)
        tag = match[3] if match else b""
        line = match[1] + host + match[2] if match else message
        line = re.sub(rb"[\0-\x1f\x7f]", control, line)
        os.write(ours if tag.startswith(b"mailreeve") else rest, line + b"\n")


main()
