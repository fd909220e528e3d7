#!/bin/bash
# systemd.sh - boot real systemd in namespaces, run a script under it
# SPDX-License-Identifier: ISC
# usage: systemd.sh SCRIPT      (from tests/lab systemd, with LAB_*)
#
# Three stages.  Outside: make a control group, relay what the script says.  In
# the namespaces: join the group, call enter.sh.  In the new root: put the
# script's unit in place and become systemd.
set -eu
tests=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$tests/world/common.sh"
. "$tests/world/network.sh"

# Removes the control group when everything in it has ended.  A session of its
# own, which reads a pipe that we and the world hold: it works also if we, or
# our whole process group, are killed.
guard() {
	cat
	for _ in {1..300}; do
		find "$1" -depth -type d -exec rmdir {} + && exit
		sleep 0.1
	done
}

# shellcheck disable=SC2034 # "life" and "guard" are for the trap
outside() {
	local script=$1 top group world mark line status=''

	[ "$LAB_ROOT" != / ] ||
		die "systemd: give -r; on / this machine's own services start"
	top=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	group=$top/mailreeve-lab-$$
	{ [ -n "$top" ] && mkdir "$group" 2>/dev/null; } ||
		die "systemd needs a cgroup v2 that root can write: mount" \
			"-t cgroup2, or run the container with one"
	exec {life}> >(exec setsid "$0" --guard "$group" >/dev/null 2>&1)
	guard=$!
	LAB_BINDS+=$script:/lab-script:ro$'\n'
	mark=lab-script-$$-$RANDOM
	# with unshare's last words, which nobody reads: PID 1 was killed
	exec {said}< <(in_namespaces '--net --uts --ipc' \
		"$0" --join "$group" "$mark" </dev/null 2>&1)
	world=$!
	end_together $world 'exec {life}>&-; wait $guard || :'
	while IFS= read -r line <&$said || [ -n "$line" ]; do
		if [[ $line == *"$mark "* ]]; then
			status=${line##* }
			printf %s "${line%"$mark "*}"
			break
		fi
		printf '%s\n' "$line"
	done
	[ -n "$status" ] || die "systemd ended before the script did"
	exit "$status"
}

join() {
	echo 0 >"$1/cgroup.procs"
	# only now, so that the group is the root of what systemd sees
	exec unshare --cgroup "$tests/world/enter.sh" \
		bash /tests/world/systemd.sh --boot "$2"
}

boot() {
	local mark=$1 etc=/etc/systemd/system unit

	umount -l /old
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	network
	names
	hostname >/etc/hostname
	rm -f /usr/sbin/policy-rc.d
	# what has no business here, or waits for what will not come
	for unit in apt-daily.timer apt-daily-upgrade.timer fstrim.timer \
		systemd-binfmt.service systemd-journald-audit.socket \
		systemd-logind.service systemd-modules-load.service \
		systemd-networkd-wait-online.service systemd-resolved.service \
		systemd-sysctl.service systemd-timesyncd.service \
		systemd-udevd.service proc-sys-fs-binfmt_misc.automount \
		console-getty.service getty.target \
		{rspamd,spamass-milter,spamd,spampd}.service \
		spamassassin-maintenance.timer; do
		ln -sf /dev/null $etc/$unit
	done
	# left to the script to start, when it has set them up
	rm -f $etc/*.wants/{postfix,dovecot,redis-server}.service \
		$etc/*.wants/dovecot.socket
	cat >$etc/lab-script.service <<-EOF
		[Unit]
		After=multi-user.target
		[Service]
		Type=oneshot
		Environment=HOME=/root LANG=C.UTF-8 PATH=$PATH
		Environment=DEBIAN_FRONTEND=noninteractive
		Environment=PYTHONPATH=/tests PYTHONDONTWRITEBYTECODE=1
		ExecStart=/bin/bash /tests/world/systemd.sh --script $mark
		StandardOutput=file:/run/lab/said
		StandardError=inherit
	EOF
	mkdir -p $etc/multi-user.target.wants
	ln -s ../lab-script.service $etc/multi-user.target.wants
	mkfifo -m 600 /run/lab/said
	cat <>/run/lab/said & # to our stdout, which systemd closes
	exec env -i PATH="$PATH" container=lab \
		/lib/systemd/systemd --system --unit=multi-user.target \
		--log-target=journal --show-status=0 >/dev/null 2>&1
}

script() {
	local status=0

	if [ -x /lab-script ]; then
		/lab-script || status=$?
	else
		bash /lab-script || status=$?
	fi
	echo "$1 $status"
}

case $1 in
--join) join "$2" "$3" ;;
--guard) guard "$2" ;;
--boot) boot "$2" ;;
--script) script "$2" ;;
*) outside "$1" ;;
esac
