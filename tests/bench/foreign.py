"""foreign - other people's programs that do some of the same work
SPDX-License-Identifier: ISC

Debian's packages of them, see tests/packages.bench; only those that are there
take part.  Each is set to do as much of our work as it can, and nothing else:

rspamd       the same lists and SPF, at the end of the data; no other module
opendmarc    SPF by itself, and DMARC
pyspf        SPF, of HELO and of the sender
policyd      python-policyd-spf, the same SPF, as a policy service of Postfix
postfwd      the same lists and more, as a policy service: its rules are about
             names, sizes and lists; it knows no SPF

None is told to refuse.  opendmarc and pyspf have no lists, and none of them
looks whether the sender's domain can get mail.
"""
import contextlib
import os
import pathlib
import shutil
import signal

from senderworld import (ADDRESS, lists, program, run, socket_of,
                         wait_for_socket)

PROGRAMS = {"rspamd": "/usr/bin/rspamd", "opendmarc": "/usr/sbin/opendmarc",
            "pyspf": "/usr/bin/pyspf-milter", "policyd": "/usr/bin/policyd-spf",
            "postfwd": "/usr/sbin/postfwd2"}
FILES = pathlib.Path("/run/bench-foreign")
RSPAMD = """\
options {{
  filters = "";
  url_tld = "{files}/tld.conf";
  pidfile = "{files}/rspamd.pid";
  cache_file = "{files}/rspamd.cache";
  control_socket = "{files}/rspamd.control mode=0600";
  dns {{
    nameserver = ["{address}:53"];
    timeout = 1s;
    sockets = 16;
    retransmits = 5;
  }}
}}
logging {{
  type = "file";
  filename = "{files}/rspamd.log";
  level = "error";
}}
modules {{
  path = "/usr/share/rspamd/plugins/rbl.lua";
  path = "/usr/share/rspamd/plugins/spf.lua";
}}
actions {{
  reject = 10000;
}}
spf {{
  disable_ipv6 = false;
}}
rbl {{
  default_exclude_users = false;
  rbls {{
{lists}
  }}
}}
worker "rspamd_proxy" {{
  bind_socket = "{socket} mode=0666";
  count = 1;
  milter = yes;
  timeout = 120s;
  upstream "local" {{
    default = yes;
    self_scan = yes;
  }}
}}
"""
RSPAMD_LIST = """\
    {name} {{
      rbl = "{zone}";
      symbol = "{name}";
      checks = ["from"];
      ipv4 = true;
      ipv6 = true;
      disable_monitoring = true;
    }}"""
OPENDMARC = """\
AuthservID mx.lab.example
Socket local:{socket}
UMask 0
UserID opendmarc
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
SPFIgnoreResults true
SPFSelfValidate true
RejectFailures false
"""
PYSPF = """\
debugLevel = 1
TestOnly = 1
HELO_reject = Fail
Mail_From_reject = Fail
PermError_reject = False
TempError_Defer = False
skip_addresses = 127.0.0.0/8
"""
PYSPF_MILTER = """\
Socket = local:{socket}
PidFile = {files}/pyspf.pid
UserID = root
InternalHosts = 127.0.0.1
"""


def are_there(*names):
    return [name for name in names if pathlib.Path(PROGRAMS[name]).exists()]


def write(name, text, **values):
    FILES.mkdir(exist_ok=True)
    path = FILES / f"{name}.conf"
    path.write_text(text.format(files=FILES, address=ADDRESS, **values)
                    if values else text)
    return str(path)


@contextlib.contextmanager
def rspamd(socket):
    zones = "\n".join(RSPAMD_LIST.format(name=f"LIST{n}", zone=zone)
                      for n, zone in enumerate(lists(10)))
    write("tld", "example\n")           # Debian's takes seconds to compile
    path = write("rspamd", RSPAMD, socket=socket, lists=zones)
    shutil.chown(FILES, "_rspamd", "_rspamd")
    with program(PROGRAMS["rspamd"], "-f", "-u", "_rspamd", "-g", "_rspamd",
                 "-c", path):
        yield


@contextlib.contextmanager
def opendmarc(socket):
    with program(PROGRAMS["opendmarc"], "-f", "-c",
                 write("opendmarc", OPENDMARC, socket=socket)):
        yield


@contextlib.contextmanager
def pyspf(socket):
    path = write("pyspf", PYSPF + PYSPF_MILTER, socket=socket)
    with program(PROGRAMS["pyspf"], path):
        yield


MILTERS = {"rspamd": rspamd, "opendmarc": opendmarc, "pyspf": pyspf}


@contextlib.contextmanager
def milter(name):
    with MILTERS[name](socket_of(name)):
        wait_for_socket(name)
        yield


POSTFWD = "127.0.0.1:10045"


@contextlib.contextmanager
def postfwd():
    """A rule for each of our checks that it can do; it caches like ours."""
    rules = "\n".join(
        [r"id=HELO; helo_name!~\.; action=REJECT no name",
         "id=RDNS; client_name==unknown; action=REJECT no name",
         "id=SIZE; protocol_state==END-OF-MESSAGE; size>=26214400; "
         "action=REJECT too big"] +
        [f"id=LIST{n}; rbl={zone}; action=REJECT listed"
         for n, zone in enumerate(lists(10))])
    pid = FILES / "postfwd.pid"
    path = write("postfwd", rules + "\n")
    FILES.chmod(0o777)
    run(PROGRAMS["postfwd"], "-d", "-f", path, "--server_socket",
        "tcp:" + POSTFWD, "--cache_socket", "tcp:127.0.0.1:10043",
        "--pidfile", str(pid), "-u", "postfix", "-g", "postfix")
    try:
        yield
    finally:
        os.kill(int(pid.read_text()), signal.SIGTERM)


def add_policyd():
    """A service of Postfix's, private/policyd-spf."""
    run("postconf", "-M", "policyd-spf/unix=policyd-spf unix - n n - 0 spawn "
        f"user=policyd-spf argv={PROGRAMS['policyd']} "
        + write("policyd", PYSPF))
    run("postconf", "-e", "policyd-spf_time_limit=3600")
