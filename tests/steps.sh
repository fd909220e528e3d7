# steps.sh - the steps of tests/run, each a function step_NAME
# SPDX-License-Identifier: ISC
# Sourced by tests/run, which has their table; works in the tree's top with
# $work, a directory of its own, and $full.
# shellcheck shell=bash disable=SC2154

# "skip WHY...": the step cannot run here.
skip() {
	echo "$*"
	exit 77
}

step_packages() {
	packaging/install-deps packaging/packages tests/packages.lab \
		tests/packages.run ${full:+tests/packages.full}
}

# build VARIANT MESON_OPTION...  a kept build directory of this machine's own
build() {
	local dir=$work/$1

	shift
	if [ ! -e "$dir/build.ninja" ]; then
		rm -rf "$dir"
		meson setup --wrap-mode=nodownload "$@" "$dir" .
	fi
	ninja -C "$dir"
}

# layer VARIANT [-r ROOT] [-- MESON_OPTION...]  built by and for the lab
layer() {
	local variant=$1

	shift
	if [ "${1-}" = -r ]; then
		tests/lab build -r "$2" "$work/layer-$variant" "${@:3}"
	else
		tests/lab build "$work/layer-$variant" "$@"
	fi
}

step_build() { build plain --werror; }

step_unit() { meson test -C "$work/plain" --no-rebuild --print-errorlogs; }

step_layer() { layer plain; }

step_cases() { MAILREEVE=$work/plain/cli/mailreeve tests/cases/run; }

step_spf() {
	MAILREEVE=$work/plain/cli/mailreeve python3 -m pytest -q -rfEs \
		-p no:cacheprovider tests/spf
}

step_layers() { tests/style/layers -b "$work/plain"; }

step_selftest() { tests/style/selftest; }

step_manual() { tests/style/manual "$work/plain"; }

step_contributing() { tests/style/contributing; }

# pytest in the world.  What failed once has a second try, as a neighbour on a
# busy machine can make a test late; tests/run tells of it.  Not so where it
# must never fail, see ONCE in tests/e2e/conftest.py.
#
# e2e LAYER [LAB_OPTION]... [-- PYTEST_OPTION]...
e2e() {
	local layer=$1 lab=()

	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		lab+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	tests/lab run "${lab[@]}" -l "$layer" -p tests/e2e/policy.conf \
		python3 -m pytest -q -rfEsR --reruns 1 --durations=5 /tests/e2e \
		"$@"
}

step_smoke() { e2e "$work/layer-plain" -- -k smoke; }

step_world() { tests/world/selftest-host / ${full:+bookworm trixie}; }

step_e2e() { e2e "$work/layer-plain"; }

# What wants a world whose clock moves.
timed='test_purge or clock_jumps'

step_purge() { e2e "$work/layer-plain" -t -93d -- -k "$timed"; }

step_demo() {
	# on this machine: it starts labs of its own
	python3 -m pytest -q -rfEsR --reruns 1 -p no:cacheprovider \
		tests/e2e/test_demo.py
}

# --- sanitizers ---------------------------------------------------------------

# What they find goes to files, which tests/e2e/conftest.py looks for: daemons
# have no standard error.  Their options come by a script in the program's
# place, as the lab starts programs in a clean environment.
#
# wrap VARIANT OPTIONS
wrap() {
	local layer=$work/layer-$1 options=$2 program

	mkdir -p "$layer/usr/lib/mailreeve"
	for program in usr/sbin/mailreeve-{milter,policyd} usr/bin/mailreeve; do
		mv "$layer/$program" "$layer/usr/lib/mailreeve"
		instead $program "$options"
	done
}

# instead PROGRAM LINES  a script for a program that is in usr/lib/mailreeve
instead() {
	printf '#!/bin/sh\n%s\nexec setarch -R /usr/lib/mailreeve/%s "$@"\n' \
		"$2" "$(basename "$1")" >"$layer/$1"
	chmod 755 "$layer/$1"
}

# Dovecot's programs that load our plugin get the sanitizer before it.  It needs
# more addresses than Dovecot lets them have.  doveconf, by which some start
# themselves anew, tidies the environment.
wrap_dovecot() {
	local layer=$work/layer-$1 options=$2 program
	local etc=$layer/etc/dovecot/conf.d lib=usr/lib/dovecot

	options+="
export LD_PRELOAD=$(realpath "$(cc -print-file-name=lib"$1".so)")
export DOVECOT_PRESERVE_ENVS=\"\$DOVECOT_PRESERVE_ENVS \
LD_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS\""
	mkdir -p "$layer/$lib" "$etc"
	echo default_vsz_limit = 0 >"$etc/95-sanitizer.conf"
	for program in usr/bin/{doveadm,sievec} $lib/{doveadm-server,imap} \
		$lib/{dovecot-lda,indexer-worker,lmtp,pop3,quota-status}; do
		cp "/$program" "$layer/usr/lib/mailreeve"
		instead "$program" "$options"
	done
}

# Without --werror: gcc sees ghosts in what the sanitizers add.
asan=(-Db_sanitize='address,undefined' -Db_lundef=false -Ddebug=true)
tsan=(-Db_sanitize=thread -Db_lundef=false -Ddebug=true)

step_asan() {
	build asan "${asan[@]}"
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		meson test -C "$work/asan" --no-rebuild --print-errorlogs
}

step_e2e_asan() {
	local options

	layer asan -- "${asan[@]}"
	options='export ASAN_OPTIONS=log_path=/tmp/sanitizer:detect_leaks=0
export UBSAN_OPTIONS=log_path=/tmp/sanitizer:print_stacktrace=1'
	wrap asan "$options"
	wrap_dovecot asan "$options"
	e2e "$work/layer-asan"
}

step_tsan() {
	build tsan "${tsan[@]}"
	# gcc 12's cannot place itself where newer kernels scatter addresses
	TSAN_OPTIONS=halt_on_error=1 setarch -R \
		meson test -C "$work/tsan" --no-rebuild --print-errorlogs
}

step_e2e_tsan() {
	layer tsan -- "${tsan[@]}"
	wrap tsan 'export TSAN_OPTIONS="log_path=/tmp/sanitizer
suppressions=/tests/world/tsan.supp"'
	# Dovecot has no threads, and could not load it
	cp -r "$work/layer-plain/usr/lib/dovecot" "$work/layer-tsan/usr/lib"
	e2e "$work/layer-tsan" -- \
		-k 'parallel or reload or restart or policyd_server or killed_at'
}

# --- clean releases -----------------------------------------------------------

# release bookworm|trixie  a root of it and a layer built in it
release() {
	tests/lab root "$1"
	layer "$1" -r "$1"
}

step_root_12() { release bookworm; }
step_root_13() { release trixie; }
step_e2e_12() { e2e "$work/layer-bookworm" -r bookworm; }
step_e2e_13() { e2e "$work/layer-trixie" -r trixie; }

overshoot() {
	tests/lab run -r "$1" -l "$work/layer-$1" -p tests/e2e/policy.conf \
		env MAILREEVE_ROUNDS=200 python3 -m pytest -q -s -rfEs \
		/tests/e2e/test_quota_overshoot.py \
		/tests/e2e/test_policyd_overshoot.py
}

step_overshoot_12() { overshoot bookworm; }
step_overshoot_13() { overshoot trixie; }

step_purge_12() {
	e2e "$work/layer-bookworm" -r bookworm -t -93d -- -k "$timed"
}

step_purge_13() {
	e2e "$work/layer-trixie" -r trixie -t -93d -- -k "$timed"
}

soak() {
	tests/lab run -r "$1" -l "$work/layer-$1" -p tests/e2e/policy.conf \
		env SOAK_SECONDS=60 MEMORY_SAVES=10000 MAILREEVE_ROUNDS=40 \
		python3 -m pytest -q -s -rfEs --durations=5 \
		/tests/e2e/test_{soak,memory,policyd_state}.py
}

step_soak_12() { soak bookworm; }
step_soak_13() { soak trixie; }

valgrind() {
	tests/lab run -r "$1" -l "$work/layer-$1" -p tests/e2e/policy.conf \
		env VALGRIND=yes python3 -m pytest -q -rfEs --durations=5 \
		/tests/e2e/test_valgrind.py
}

step_valgrind_12() { valgrind bookworm; }
step_valgrind_13() { valgrind trixie; }

step_install_12() { tests/e2e/test_install.sh bookworm; }
step_install_13() { tests/e2e/test_install.sh trixie; }

# --- long ones ----------------------------------------------------------------

# fuzz_one PROGRAM  For half a minute; its log's last line says how it ended.
fuzz_one() {
	local program=$1 name

	name=$(basename "$program")
	mkdir -p "$work/corpus/$name"
	{
		echo "$name"
		"$program" -max_total_time=30 -timeout=10 \
			-rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix="$work/corpus/$name-" \
			"$work/corpus/$name" tests/fuzz/corpus/"${name#fuzz_}" &&
			echo "1 passed" || echo "1 failed"
	} >"$work/corpus/$name.log" 2>&1
}

step_fuzz() {
	local program found running=0 rc=0

	CC=clang build fuzz -Dfuzz=true -Db_sanitize=address,undefined \
		-Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
	mkdir -p "$work/corpus"
	rm -f "$work"/corpus/*.log
	for program in "$work"/fuzz/tests/fuzz/fuzz_*; do
		[ -f "$program" ] && [ -x "$program" ] || continue
		fuzz_one "$program" &
		running=$((running + 1))
		[ $((running % $(nproc))) -ne 0 ] || wait
	done
	wait
	cat "$work"/corpus/*.log
	! grep -q '^1 failed' "$work"/corpus/*.log || rc=1
	# the log may be all that is left of this machine
	for found in "$work"/corpus/fuzz_*-*; do
		[ ! -f "$found" ] || [ "$rc" = 0 ] || {
			echo "$found"
			base64 "$found"
		}
	done
	grep -hE 'Assertion|ERROR|SUMMARY' "$work"/corpus/*.log || :
	return "$rc"
}

step_bench() { tests/bench/run; }
