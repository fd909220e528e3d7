#!/bin/bash
# root.sh - make a clean Debian root with everything the project needs
# SPDX-License-Identifier: ISC
# usage: root.sh bookworm|trixie        (tests/lab root; prints the directory)
#
# Cached as a directory and as a tarball, named by the release and a hash of
# what goes in.  Both appear by rename, so a half-made one is never used.
set -eu
tests=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$tests/world/common.sh"

lists=("$tests/world/packages" "$tests/../packaging/packages")

say() { printf 'lab: %s\n' "$*" >&2; }

# The mirrors are this machine's own: "main URL" and "security URL".
mirrors() {
	if [ -n "${MAILREEVE_MIRROR-}" ]; then
		echo "main $MAILREEVE_MIRROR"
		return
	fi
	apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' \
		'Created-By: Packages' |
		awk '$2 != "main" { next }
		     $1 ~ /debian-security\/?$/ { print "security", $1 }
		     $1 ~ /debian\/?$/ { print "main", $1 }' |
		sort -u
}

# Runs as PID 1 of own mount and pid namespaces: debootstrap mounts things,
# and whatever starts in the root by mistake ends here.
make() {
	local release=$1 root=$2 keyring main security

	main=$(mirrors | awk '$1 == "main" { print $2; exit }')
	security=$(mirrors | awk '$1 == "security" { print $2; exit }')
	[ -n "$main" ] || die "no Debian mirror in this machine's apt sources" \
		"(set MAILREEVE_MIRROR to its URL)"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	[ -e $keyring ] || die "missing here: debian-archive-keyring"

	say "$release: debootstrap"
	debootstrap --variant=minbase --keyring=$keyring \
		"$release" "$root" "$main" >&2
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	{
		echo "deb $main $release main"
		[ -z "$security" ] ||
			echo "deb $security $release-security main"
	} >"$root/etc/apt/sources.list"
	# how this machine reaches its mirror: proxies, tolerance of old dates
	apt-config dump |
		grep -E '^Acquire::(Check|Retries|http|https)' \
			>"$root/etc/apt/apt.conf.d/99lab" || :
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"

	say "$release: packages"
	fill_root "$root"
	# shellcheck disable=SC2046
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -ec '
		apt-get -q update
		apt-get -q install -y --no-install-recommends "$@"
		apt-get clean
		rm -rf /var/lib/apt/lists/*
		' sh $(packages "${lists[@]}") >&2 </dev/null
	# nothing of this machine stays in it
	: >"$root/etc/resolv.conf"
	rm -f "$root/etc/hostname" "$root/etc/apt/apt.conf.d/99lab"
}

main() {
	local release=$1 hash key

	case $release in
	bookworm | trixie) ;;
	*) die "no such release: $release (bookworm or trixie)" ;;
	esac
	need debootstrap=debootstrap zstd=zstd flock=util-linux
	hash=$(packages "${lists[@]}" | sort | sha256sum)
	cache=${MAILREEVE_CACHE:-/var/cache/mailreeve}/roots
	key=$cache/$release-${hash:0:12}
	if [ ! -d "$key" ]; then
		mkdir -p "$cache"
		exec 9>"$key.lock"
		flock 9
	fi
	if [ ! -d "$key" ]; then
		rm -rf --one-file-system "$key.new"
		[ -e "$key.tar.zst" ] || create "$release" "$key"
		say "$release: unpack $key.tar.zst"
		mkdir "$key.new"
		tar -xC "$key.new" --zstd -f "$key.tar.zst"
		mv "$key.new" "$key"
	fi
	echo "$key"
}

create() {
	local release=$1 key=$2 world

	say "$release: a new root; this takes about two minutes"
	mkdir "$key.new"
	in_namespaces '' "$0" --make "$release" "$key.new" &
	world=$!
	end_together $world
	wait $world || die "$release: could not make the root"
	trap - EXIT
	say "$release: pack"
	tar -cC "$key.new" --one-file-system --zstd -f "$key.tar.new" .
	mv "$key.tar.new" "$key.tar.zst"
	rm -rf --one-file-system "$key.new"
}

case ${1-} in
--make) make "$2" "$3" ;;
*) main "$@" ;;
esac
