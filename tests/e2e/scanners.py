"""scanners - a real rspamd, SpamAssassin as milter and as content filter, and
the ports of Postfix that mail comes through them by
SPDX-License-Identifier: ISC

rspamd runs with the one rule that the tests need, and one top-level domain:
to compile its own thousands of them takes it twenty seconds.
"""
import os
import pathlib
import signal
import socket
import subprocess
import time

from world.postfix import reload_postfix, until

# smtpd_milters, content_filter
RSPAMD, SPAMASS, FILTER, BOTH, RELAY = 2501, 2502, 2503, 2504, 2505
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
# rspamd's own, for the action "add header"
GTUBE_HEADER = "Y" + GTUBE[1:]
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
LAB_SPAM = "LAB-SPAM-TEST"              # to SpamAssassin, not to rspamd

FOLDER = pathlib.Path("/run/lab/scanners")
LOG = FOLDER / "log"
MASTER_CF = pathlib.Path("/etc/postfix/master.cf")
LOCAL_CF = pathlib.Path("/etc/spamassassin/local.cf")
SPAMASS_SOCKET = pathlib.Path("/var/spool/postfix/spamass.sock")

RSPAMD_CONF = """\
options {
	pidfile = "%(folder)s/rspamd.pid";
	control_socket = "%(folder)s/rspamd.sock mode=0600";
	gtube_patterns = "all";
	enable_test_patterns = true;
	url_tld = "%(folder)s/tld";
	filters = "";
	dns {
		nameserver = ["127.0.0.1"];
	}
}
logging {
	type = "console";
	level = "info";
}
worker "rspamd_proxy" {
	bind_socket = "127.0.0.1:11332";
	milter = yes;
	count = 1;
	upstream "local" {
		default = yes;
		self_scan = yes;
	}
}
lua = "%(folder)s/rspamd.lua";
modules {
	path = "/usr/share/rspamd/plugins/milter_headers.lua";
}
actions {
	reject = 15;
	add_header = 6;
}
milter_headers {
	use = ["x-virus", "results"];
	routines {
		x-virus {
			symbols = ["LAB_VIRUS"];
		}
	}
	custom {
		results = <<EOD
return function(task)
	local add = {}
	if task:has_symbol("LAB_VIRUS") then
		add["Authentication-Results"] =
			"relay.lab.example; x-malware=found"
	end
	return nil, add, {}, {}
end
EOD;
	}
}
"""
RSPAMD_LUA = """\
rspamd_config:register_symbol({
	name = "LAB_VIRUS",
	score = 0.1,
	callback = function(task)
		for _, part in ipairs(task:get_text_parts() or {}) do
			if tostring(part:get_content()):find(
				"EICAR-STANDARD-ANTIVIRUS", 1, true) then
				return true
			end
		end
		return false
	end,
})
"""
# The lab's addresses look odd to SpamAssassin.
SPAMASSASSIN = f"""\
required_score 50
report_safe 0
body LAB_SPAM /{LAB_SPAM}/
score LAB_SPAM 100
"""


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class Scanners:
    def __init__(self):
        self.running = []
        self.master_cf = MASTER_CF.read_text()
        self.seconds = {}
        FOLDER.mkdir(exist_ok=True)
        FOLDER.chmod(0o777)

    def start(self, name, ready, *command):
        began = time.monotonic()
        with open(LOG, "ab") as log:
            self.running.append(subprocess.Popen(
                [name, *command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True))
        try:
            until(ready, 120)
        except TimeoutError:
            raise RuntimeError(f"{name}: {LOG.read_text()[-3000:]}") from None
        self.seconds[name] = time.monotonic() - began

    def start_all(self):
        names = {"folder": FOLDER}
        (FOLDER / "rspamd.conf").write_text(RSPAMD_CONF % names)
        (FOLDER / "rspamd.lua").write_text(RSPAMD_LUA)
        (FOLDER / "tld").write_text("example\n")
        LOCAL_CF.write_text(SPAMASSASSIN)
        self.services()                 # spampd's children want port 10025
        self.start("rspamd", lambda: answers(11332), "-f", "-u", "_rspamd",
                   "-g", "_rspamd", "-c", f"{FOLDER}/rspamd.conf")
        self.start("spamd", lambda: answers(783), "-L", "-m", "1",
                   "-u", "nobody", "--pidfile", f"{FOLDER}/spamd.pid")
        self.start("spampd", lambda: answers(10024), "--nodetach",
                   "--host=127.0.0.1:10024", "--relayhost=127.0.0.1:10025",
                   "--children=2", "--local-only", "--user=nobody",
                   "--group=nogroup", f"--pid={FOLDER}/spampd.pid")
        self.start("spamass-milter", SPAMASS_SOCKET.exists,
                   "-p", str(SPAMASS_SOCKET))
        SPAMASS_SOCKET.chmod(0o666)

    def services(self):
        ours = subprocess.run(["postconf", "-h", "smtpd_milters"], text=True,
                              check=True, capture_output=True).stdout.strip()
        rspamd, spamass = "inet:127.0.0.1:11332", "unix:/spamass.sock"
        for port, milters, content_filter in (
                (RSPAMD, f"{rspamd}, {ours}", ""),
                (SPAMASS, f"{spamass}, {ours}", ""),
                (FILTER, ours, "smtp:[127.0.0.1]:10024"),
                (BOTH, f"{rspamd}, {ours}", "smtp:[127.0.0.1]:10024"),
                (RELAY, rspamd, "smtp:[127.0.0.1]:10026"),
                ("127.0.0.1:10025", ours, ""),
                ("127.0.0.1:10026", ours, "")):
            # the filters pass STARTTLS on, and cannot do it
            subprocess.run([
                "postconf", "-M", f"{port}/inet={port} inet n - y - - smtpd "
                f"-o {{ smtpd_milters = {milters} }} "
                f"-o content_filter={content_filter} "
                "-o smtpd_tls_security_level=none"], check=True)
        reload_postfix()
        until(lambda: answers(10025) and answers(10026))

    def stop(self):
        for process in self.running:    # with its children
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        MASTER_CF.write_text(self.master_cf)
        reload_postfix()
        SPAMASS_SOCKET.unlink(missing_ok=True)
        # the children may die a moment later
        until(lambda: not any(map(answers, (11332, 783, 10024))))
