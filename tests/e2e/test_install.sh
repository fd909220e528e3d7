#!/bin/bash
# test_install.sh - is the README's way onto a server, and off it again, true?
# SPDX-License-Identifier: ISC
# usage: test_install.sh [bookworm|trixie]
#
# In a clean Debian with real systemd, and its own Postfix and Dovecot in use:
# runs the commands of README.md block by block, as they stand, and looks what
# mail does in between.
set -eu
src=$(dirname -- "$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")")
[ -e /lab-script ] || exec "$src/tests/lab" systemd \
	-r "${1:-bookworm}" -b "$src:/src:ro" "$src/tests/e2e/test_install.sh"

tree=/root/mailreeve
policy=/etc/mailreeve/mailreeve.conf
rule=' (id '
passed=0
failed=0

# --- saying how it went --------------------------------------------------------

finish() {
	local rc=$?

	[ $rc = 0 ] || [ $failed -gt 0 ] || failed=1
	if [ $failed -gt 0 ]; then
		journalctl --no-pager -q -n 60 -u 'mailreeve-*' -t postfix \
			-u 'postfix*' -u dovecot || :
	fi
	echo "$passed passed, $failed failed, 0 skipped"
	[ $failed = 0 ] || exit 1
}

is() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok      $what"
	else
		failed=$((failed + 1))
		echo "FAILED  $what"
	fi
}

same() { is "$1" equal "$2" "$3"; }

equal() {
	[ "$1" = "$2" ] || {
		printf '        got  %s\n        want %s\n' "$1" "$2"
		return 1
	}
}

fails() { ! "$@" 2>/dev/null; }

# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# --- mail ------------------------------------------------------------------------

# smtp HELO RECIPIENT SUBJECT  an outside client; prints the reply that counts
smtp() {
	swaks --server 192.0.2.1 --local-interface 198.51.100.7 --helo "$1" \
		--from sender@sender.example --to "$2" \
		--header "Subject: $3" --timeout 20 2>&1 |
		sed -n 's/^<\*\* //p; s/^<-  \(250 2.0.0 Ok: queued\).*/\1/p' |
		head -n 1
}

in_mailbox() {
	[ -n "$(doveadm search -u "$1" mailbox INBOX subject "$2")" ]
}

subject=0

# arrives WHAT HELO RECIPIENT
arrives() {
	subject=$((subject + 1))
	same "$1: accepted" "$(smtp "$2" "$3" test-$subject)" \
		'250 2.0.0 Ok: queued'
	is "$1: in the mailbox" until_true 60 in_mailbox "$3" test-$subject
}

# refused WHAT HELO RECIPIENT PATTERN
refused() {
	local reply

	reply=$(smtp "$2" "$3" refused)
	# shellcheck disable=SC2053 # a pattern
	[[ $reply == $4 ]] || echo "        got  $reply"
	# shellcheck disable=SC2053
	is "$1" test "$([[ $reply == $4 ]] && echo yes)"
}

journal() {
	journalctl --no-pager -q -o cat -u mailreeve-milter | grep -q -- "$1"
}

# --- a server that was there before ------------------------------------------------

server() {
	local pem

	postconf -e myhostname=mx.lab.example mydestination=localhost \
		virtual_mailbox_domains=lmdb:/etc/postfix/virtual_domains \
		virtual_alias_maps=lmdb:/etc/postfix/virtual \
		virtual_mailbox_maps=lmdb:/etc/postfix/virtual_mailboxes \
		virtual_transport=lmtp:unix:private/dovecot-lmtp \
		message_size_limit=20480000
	printf '%s.example x\n' alpha beta gamma delta \
		>/etc/postfix/virtual_domains
	cp /tests/world/conf/virtual /etc/postfix/virtual
	# carl has a mailbox for Postfix, and none for Dovecot: ours to refuse
	{
		sed 's/:.*/ x/' /tests/world/conf/users
		echo carl@alpha.example x
	} >/etc/postfix/virtual_mailboxes
	postmap lmdb:/etc/postfix/virtual_domains lmdb:/etc/postfix/virtual \
		lmdb:/etc/postfix/virtual_mailboxes
	newaliases

	groupadd -g 5000 vmail
	useradd -u 5000 -g vmail -d /var/vmail vmail
	install -d -o vmail -g vmail /var/vmail
	install -m 640 -g dovecot /tests/world/conf/users /etc/dovecot/users
	# all of the lab's configuration, but for its certificates
	sed '/^# Not "required"/,/^$/d' \
		/tests/world/conf/dovecot-"$(dovecot --version | cut -c 1-3)".conf \
		>/etc/dovecot/local.conf
	sed -i 's/^!include auth-system/#&/' /etc/dovecot/conf.d/10-auth.conf
	sed -i 's/^ *auth_username_format/#&/' /etc/dovecot/conf.d/20-lmtp.conf
	for pem in pem:certs/ssl-cert-snakeoil.pem \
		key:private/ssl-cert-snakeoil.key; do
		[ -e /etc/dovecot/private/dovecot.${pem%%:*} ] ||
			ln -s /etc/ssl/${pem#*:} \
				/etc/dovecot/private/dovecot.${pem%%:*}
	done
	[ -e /etc/ssl/certs/ssl-cert-snakeoil.pem ] ||
		make-ssl-cert generate-default-snakeoil
	systemctl start postfix # Debian 13 makes its directories now
	systemctl start dovecot
	until_true 60 test -S /var/spool/postfix/private/dovecot-lmtp
	until_true 60 nc_25
}

nc_25() { { : >/dev/tcp/192.0.2.1/25; } 2>/dev/null; }

# --- the README ----------------------------------------------------------------------

# blocks SECTION  its commands, with a line ---- behind each block
blocks() {
	awk -v section="## $1" '
		/^## / { inside = $0 == section; next }
		!inside { next }
		/^```/ { fenced = !fenced; if (!fenced) print "----"; next }
		fenced { print; next }
		/^    / { sub(/^    /, ""); print; indented = 1; next }
		indented { print "----"; indented = 0 }
		END { if (indented) print "----" }' "$tree/README.md"
}

# follow SECTION  runs its blocks; after each, `after_block' looks around
follow() {
	local block='' line

	while IFS= read -r line <&3; do
		if [ "$line" != ---- ]; then
			block+=$line$'\n'
			continue
		fi
		printf '%s' "    # ${block//$'\n'/$'\n    # '}" | sed '$d'
		(cd $tree && bash -euo pipefail -c "$block" </dev/null \
			>/tmp/block 2>&1) || {
			cat /tmp/block
			is "the block above" false
			exit 1
		}
		after_block
		block=''
	done 3< <(blocks "$1")
}

# What an admin would do: first fill in the tables, later end the trial.
editor() {
	mkdir -p /usr/local/bin
	cat >/usr/local/bin/editor <<-'END'
		#!/bin/sh
		if grep -q '^#maps {' "$1"; then
			sed -i -e '/^#maps {/,/^#}/s/^#//' \
				-e '/^#check recipient {/,/^#}/s/^#//' "$1"
		else
			sed -i '/^mode = observe/d' "$1"
		fi
	END
	chmod 755 /usr/local/bin/editor
}

observed=no
after_block() {
	[ $observed = no ] && systemctl -q is-active mailreeve-milter &&
		grep -q '^mode = observe' $policy || return 0
	observed=yes
	arrives 'mode = observe, a good mail' out.sender.example \
		ann@alpha.example
	arrives 'mode = observe, a bad HELO' nobody ann@alpha.example
	is 'mode = observe: the log says what would have been' \
		until_true 60 journal \
		'observe: RCPT from .*helo=<nobody> rule=helo.not_qualified'
}

# --- what is looked at when it is installed ---------------------------------------------

doctor() {
	same 'the doctor finds nothing' "$(mailreeve doctor 2>&1)" \
		'nothing found'
	systemctl stop mailreeve-milter
	is 'the doctor finds that nobody listens' fails quiet mailreeve doctor
	mailreeve doctor | sed -n 's/^    //p' | sh
	same 'and its command ends that' "$(mailreeve doctor 2>&1)" \
		'nothing found'
}

files() {
	same 'the socket directory' \
		"$(stat -c '%a %U:%G' /var/spool/postfix/mailreeve)" \
		'2750 mailreeve:postfix'
	same 'the socket' \
		"$(stat -c '%a %U:%G' /var/spool/postfix/mailreeve/milter.sock)" \
		'660 mailreeve:postfix'
	same 'the control socket' \
		"$(stat -c '%a %U:%G' /run/mailreeve/milter.control)" \
		'660 mailreeve:mailreeve'
	same 'the policy' "$(stat -c '%a %U:%G' $policy)" '640 root:mailreeve'
	same 'the state directory' \
		"$(stat -c '%a %U:%G' /var/lib/mailreeve)" \
		'755 mailreeve:mailreeve'
	same "Postfix's smtpd is chrooted" \
		"$(postconf -M smtp/inet | awk '{ print $5 }')" y
	is 'what Dovecot may read is published' \
		test -s /var/lib/mailreeve/mailbox.conf
	is 'manual pages' man_pages
	cp $policy /tmp/policy
	echo '# mine' >>$policy
	$tree/packaging/install-policy $tree/packaging/examples/mailreeve.conf \
		/etc/mailreeve >/dev/null
	is "an admin's policy is not overwritten" grep -q '^# mine' $policy
	cp /tmp/policy $policy
}

man_pages() {
	local page

	for page in man7/mailreeve.7 man7/mailreeve-checks.7 \
		man8/mailreeve.8 man8/mailreeve-{milter,policyd}.8 \
		man5/mailreeve.conf.5; do
		[ -s /usr/share/man/$page ] || return 1
	done
}

enforced() {
	arrives 'a good mail' out.sender.example ann@alpha.example
	refused 'a bad HELO' nobody ann@alpha.example \
		"550 5.5.4 Your mail server introduces itself as \"nobody\"*$rule*"
	refused 'a recipient that Dovecot does not know' out.sender.example \
		carl@alpha.example \
		"550 5.1.1 <carl@alpha.example> does not exist here*$rule*"
	printf 'Subject: local-1\n\nhello\n' |
		sendmail -f root@lab.example bob@beta.example
	is 'sendmail(1): in the mailbox' until_true 60 in_mailbox \
		bob@beta.example local-1
	same 'every table answers' \
		"$(mailreeve status | grep map_failing)" ''
	same "Postfix's size limit is above the policy's 25M" \
		"$(postconf -h message_size_limit)" 27262976
	same 'Dovecot has its user database open for us' \
		"$(stat -c '%a %G' /run/dovecot/mailreeve-userdb)" '660 mailreeve'
}

# exposure UNIT MOST
exposure() {
	local figure

	figure=$(systemd-analyze security "$1" --no-pager |
		sed -n 's/.*Overall exposure level[^:]*: \([0-9.]*\).*/\1/p')
	echo "        systemd-analyze security $1: $figure"
	is "exposure of at most $2" awk "BEGIN { exit !($figure <= $2) }"
}

security() {
	exposure mailreeve-milter 1.2
	same 'no capability' "$(awk '/^Cap(Eff|Prm|Bnd)/ { print $2 }' \
		/proc/"$(main_pid)"/status | sort -u)" 0000000000000000
}

main_pid() { systemctl show -P MainPID mailreeve-milter; }

reloaded() {
	local pid

	pid=$(main_pid)
	sed -i '/^check helo/,/^}/s/reject/defer/' $policy
	is 'systemctl reload' systemctl reload mailreeve-milter
	refused 'the new policy counts' nobody ann@alpha.example '451 4.5.4 *'
	echo 'sise = 25M' >>$policy
	is 'systemctl reload of a mistake fails' \
		fails systemctl reload mailreeve-milter
	is 'and the log says why' until_true 60 journal 'unknown setting "sise"'
	refused 'the policy before it stays' nobody ann@alpha.example \
		'451 4.5.4 *'
	cp /tmp/policy $policy
	systemctl reload mailreeve-milter
	same 'it is the same process' "$(main_pid)" "$pid"
}

# In a process of its own, which confines itself further than the unit does.
libspf2() {
	printf 'check spf {\n\taction = reject\n\tengine = libspf2\n}\n' \
		>>$policy
	systemctl reload mailreeve-milter
	arrives 'libspf2 lets pass' out.sender.example ann@alpha.example
	refused 'libspf2 refuses' nohelo.example ann@alpha.example \
		'550 5.7.23 *'
	is 'spf_worker --self-test' /usr/libexec/mailreeve/spf_worker --self-test
	cp /tmp/policy $policy
	systemctl reload mailreeve-milter
}

# As the unit's sandbox lets it: a process for each question, a private copy, a
# database.
tables() {
	local dir=/etc/postfix/tables kind ours='' before

	before=$(postconf -h virtual_alias_maps)
	mkdir $dir
	for kind in hash cdb; do
		echo "$kind@alpha.example ann@alpha.example" >$dir/$kind
		postmap $kind:$dir/$kind
	done
	echo '/^pcre@alpha\.example$/ ann@alpha.example' >$dir/pcre
	touch -d -1hour $dir/pcre # what a young one lacks is unsure
	sqlite3 $dir/base "CREATE TABLE t (a, g); INSERT INTO t VALUES
		('sqlite@alpha.example', 'ann@alpha.example')"
	printf '%s\n' "dbpath = $dir/base" \
		"query = SELECT g FROM t WHERE a = '%s'" >$dir/sqlite
	for kind in hash cdb pcre sqlite; do
		ours+=" $kind:$dir/$kind"
	done
	postconf -e "virtual_alias_maps=$before${ours/sqlite:/proxy:sqlite:}"
	systemctl reload postfix
	sed -i "s|^\taliases *=.*|&$ours|" $policy
	systemctl reload mailreeve-milter
	for kind in hash cdb pcre sqlite; do
		same "$kind: accepted" "$(smtp out.sender.example \
			$kind@alpha.example test-$kind)" \
			'250 2.0.0 Ok: queued'
		is "$kind: in the mailbox" until_true 60 \
			in_mailbox ann@alpha.example test-$kind
	done
	refused 'none of them has it' out.sender.example carl@alpha.example \
		"550 5.1.1 *$rule*"
	same 'each of them answers' "$(mailreeve status | grep map_failing)" ''
	same 'and the user may read them' \
		"$(mailreeve setup postfix | grep 'cannot open')" ''
	postconf -e "virtual_alias_maps=$before"
	systemctl reload postfix
	cp /tmp/policy $policy
	systemctl reload mailreeve-milter
}

restarted() {
	local pid

	pid=$(main_pid)
	systemctl restart mailreeve-milter
	is 'systemctl restart' test "$(main_pid)" != "$pid"
	arrives 'after a restart' out.sender.example ann@alpha.example
	refused 'and our rule' nobody ann@alpha.example "550 5.5.4 *$rule*"
	pid=$(main_pid)
	kill -KILL "$pid"
	is 'killed, it comes back' until_true 60 came_back "$pid"
	refused 'with its rules' nobody ann@alpha.example "550 5.5.4 *$rule*"
	echo 'sise = 25M' >>$policy
	systemctl restart mailreeve-milter 2>/dev/null || :
	same 'a mistake at the start: it does not start again and again' \
		"$(systemctl show -P ActiveState mailreeve-milter)" failed
	refused 'and mail waits' out.sender.example ann@alpha.example '451 4.7.1 *'
	cp /tmp/policy $policy
	systemctl start mailreeve-milter
}

came_back() {
	systemctl -q is-active mailreeve-milter &&
		[ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ]
}

# Sends mail, one session each, until there is /tmp/enough; a line for each.
hammer() {
	python3 - <<-'END'
		import os, smtplib
		while not os.path.exists("/tmp/enough"):
		    try:
		        with smtplib.SMTP("192.0.2.1", 25, "out.sender.example",
		                          source_address=("198.51.100.7", 0)) as c:
		            c.sendmail("a@sender.example", "bob@beta.example",
		                       "Subject: hammer\n\n")
		        print("ok", flush=True)
		    except smtplib.SMTPException as error:
		        print(error, flush=True)
	END
}

# Are there ten lines more than at the last call?
lines=0
grown() {
	local now

	now=$(wc -l <"$1")
	[ "$now" -ge $((lines + 10)) ] && lines=$now
}

# As mailreeve-milter(8) says.
socket_unit() {
	systemctl stop mailreeve-milter
	systemctl -q enable --now mailreeve-milter.socket 2>/dev/null
	systemctl start mailreeve-milter
	same "systemd's socket" \
		"$(stat -c '%a %U:%G' /var/spool/postfix/mailreeve/milter.sock)" \
		'660 mailreeve:postfix'
	refused 'our rule, by it' nobody ann@alpha.example "550 5.5.4 *$rule*"
	hammer >/tmp/hammer &
	for _ in 1 2 3 4 5; do
		until_true 60 grown /tmp/hammer
		systemctl restart mailreeve-milter
	done
	until_true 60 grown /tmp/hammer
	: >/tmp/enough
	wait $! || :
	same 'five restarts lose no session' "$(sort -u /tmp/hammer)" ok
	systemctl -q disable --now mailreeve-milter.socket mailreeve-milter \
		2>/dev/null
	systemctl -q enable --now mailreeve-milter 2>/dev/null
}

# The policy daemon alone, as setup says.
policy_daemon() {
	cp $policy /tmp/policy
	cp /etc/postfix/main.cf /tmp/main.cf
	sed -i '1i judge = policyd' $policy
	is 'the policy daemon starts' systemctl start mailreeve-policyd
	mailreeve setup postfix --main-cf | xargs -d '\n' postconf -e
	postconf -e smtpd_milters=
	is 'reload tells both' systemctl reload mailreeve-policyd
	postfix reload 2>/dev/null
	same 'its socket' \
		"$(stat -c '%a %U:%G' /var/spool/postfix/mailreeve/policy.sock)" \
		'660 mailreeve:postfix'
	refused 'by the policy daemon' nobody ann@alpha.example \
		"550 5.5.4 *introduces itself as \"nobody\"*$rule*"
	arrives 'a good mail, by it' out.sender.example ann@alpha.example
	# 0.2 for PrivateUsers, which it must not have, see its unit
	exposure mailreeve-policyd 1.4
	systemctl stop mailreeve-policyd
	cp /tmp/main.cf /etc/postfix/main.cf
	cp /tmp/policy $policy
	systemctl reload mailreeve-milter
	postfix reload 2>/dev/null
}

# The timers, which the README does not enable.
timers() {
	local unit mark=/var/lib/mailreeve/clock drop=/run/systemd/system
	local clock=mailreeve-clock.service

	for unit in clock purge; do
		is "the units of mailreeve-$unit" good_units $unit
		systemctl -q enable --now mailreeve-$unit.timer 2>/dev/null
		same "mailreeve-$unit.timer waits" \
			"$(systemctl show -P SubState mailreeve-$unit.timer)" \
			waiting
	done
	is 'the first mark' systemctl start $clock
	same 'it is for everybody to read' "$(stat -c '%a %U:%G' $mark)" \
		'644 root:root'
	is 'the hour follows' test "$(systemctl show -P \
		NextElapseUSecMonotonic mailreeve-clock.timer)" != infinity
	is 'purges may run' quiet mailreeve clock
	sed -i 's/^1 [0-9]*/1 1000000000/' $mark
	is 'a jump of the clock: no purges' fails quiet mailreeve clock
	is 'the unit fails' fails systemctl start $clock
	is 'and the log says what to do' until_true 60 \
		clock_log 'moved forwards by .*run: mailreeve clock --clock-ok'
	is 'mailreeve clock --clock-ok' quiet mailreeve clock --clock-ok
	is 'the unit works again' systemctl start $clock
	mkdir $drop/$clock.d
	printf '[Service]\nExecStart=\nExecStart=%s\n' \
		'/usr/bin/mailreeve clock' >$drop/$clock.d/show.conf
	systemctl daemon-reload
	is 'within its sandbox' systemctl start $clock
	is 'it may ask whether NTP keeps the clock' until_true 60 \
		clock_log '^synchronised  (yes|no)$'
	rm -r $drop/$clock.d
	systemctl daemon-reload
	exposure mailreeve-clock 1.5
	systemctl -q disable --now mailreeve-clock.timer mailreeve-purge.timer \
		2>/dev/null
	systemctl clean --what=state mailreeve-purge.timer
}

quiet() { "$@" >/dev/null 2>&1; }

clock_log() {
	journalctl --no-pager -q -o cat -u mailreeve-clock | grep -qE -- "$1"
}

good_units() {
	local said

	said=$(systemd-analyze verify --man=no mailreeve-"$1".service \
		mailreeve-"$1".timer 2>&1)
	equal "$said" ''
}

gone() {
	arrives 'taken out, a good mail' out.sender.example ann@alpha.example
	arrives 'taken out, a bad HELO' nobody ann@alpha.example
	same 'message_size_limit is what it was' \
		"$(postconf -h message_size_limit)" 20480000
	same 'mailbox_size_limit is what it was' \
		"$(postconf -h mailbox_size_limit)" 0
	same 'Postfix knows no milter' "$(postconf -h smtpd_milters)" ''
	same 'nothing is left' "$(find /etc /usr /var/lib /var/spool /run /lib \
		-xdev -path /usr/local/bin -prune -o -iname '*mailreeve*' -print \
		2>/dev/null)" ''
	same 'nobody is left' "$(getent passwd mailreeve)" ''
}

trap finish EXIT
mkdir $tree
tar -cC /src --exclude=./.git --exclude='./build*' . | tar -xC $tree
server
arrives 'before' out.sender.example ann@alpha.example
arrives 'before, a bad HELO' nobody ann@alpha.example
editor
follow 'Add it to your server'
is 'the blocks led to a running milter' test $observed = yes
doctor
files
enforced
security
reloaded
libspf2
tables
restarted
socket_unit
policy_daemon
timers
observed=yes
follow 'Take it out again'
gone
