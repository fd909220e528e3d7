# common.sh - what the lab's scripts share, outside and inside of a world
# SPDX-License-Identifier: ISC
# Sourced, not run.
# shellcheck shell=bash

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 2
}

# need COMMAND=PACKAGE...  all that is missing on this machine, in one message
need() {
	local pair missing=''

	for pair; do
		command -v "${pair%%=*}" >/dev/null || missing+=" ${pair#*=}"
	done
	[ -z "$missing" ] || die "missing here:$missing" \
		"(apt-get install --no-install-recommends$missing)"
}

# Packages of a list, without comments and empty lines.
packages() {
	sed 's/#.*//' -- "$@" | xargs -n1
}

# start NAME COMMAND [ARG...]  a daemon that returns when it is ready.  One that
# inherited a pipe would hang whoever reads that, so it gets a file.
start() {
	local name=$1

	shift
	"$@" >"/run/lab/$name.err" 2>&1 </dev/null && return
	cat "/run/lab/$name.err" >&2
	tail -n 5 /var/log/{mail,dovecot,mailreeve}.log >&2 2>/dev/null || :
	die "$name does not start"
}

# The kernel's file systems for a root: /proc /sys /dev /run /tmp.  What belongs
# to the machine is read-only: systemd-sysctl inside would set it for all.
# network.sh opens /proc/sys/net again, where the world has its own.
fill_root() {
	local root=$1

	mount -t proc proc "$root/proc"
	mount --bind "$root/proc/sys" "$root/proc/sys"
	mount -o remount,bind,ro "$root/proc/sys"
	mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/lock" "$root/run/lab"
	cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty \
		"$root/dev"
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 \
		devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
}

# in_namespaces "UNSHARE OPTIONS" COMMAND [ARG...]
# Becomes COMMAND as PID 1 of new namespaces, whose end is the end of all that
# is inside.  It ends with the caller even if that is killed, by pdeathsig and
# --kill-child.  For the background, as unshare blocks SIGTERM while it waits;
# there SIGINT would be ignored, hence --default-signal.
in_namespaces() {
	local options=$1

	shift
	# shellcheck disable=SC2086
	exec env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
		unshare $options --mount --pid --fork --kill-child -- "$@"
}

# end PID: of in_namespaces.  Its child, PID 1 of the world, first: unshare then
# waits until the kernel has ended the rest.
end() {
	{
		pkill -KILL -P "$1" || kill -KILL "$1"
		wait "$1"
	} 2>/dev/null || :
}

# end_together PID [COMMAND]   from now on this shell takes the world with it,
# however it ends, and then runs COMMAND
end_together() {
	# shellcheck disable=SC2064
	trap "end $1; ${2-}" EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	trap 'exit 129' HUP
	trap 'exit 141' PIPE
}

# namespaces "UNSHARE OPTIONS" COMMAND [ARG...]   and exit with its status
namespaces() {
	local world status=0

	in_namespaces "$@" <&0 &
	world=$!
	end_together $world
	wait $world || status=$?
	trap - EXIT
	exit $status
}
