"""seed.py - mail that entered its folder long ago, saved by Dovecot itself
SPDX-License-Identifier: ISC

    seed("ann@alpha.example", "Trash", [100 * DAY, 100 * DAY, 5])

Only the plugin's own save date makes a mail old: the file is new.
"""
import pathlib
import subprocess
import tempfile
import time
import uuid

HOUR, DAY = 3600, 86400
DUE = pathlib.Path("/var/lib/mailreeve/purge.due")
SOURCE = pathlib.Path(__file__).with_name("seed.c")
COMMAND = """
. /usr/lib/dovecot/dovecot-config
cc -O2 -Wall -Wextra -shared -fPIC -DHAVE_CONFIG_H $LIBDOVECOT_INCLUDE \
    -o "$1.new" "$2" && mv "$1.new" "$1"
"""


def install():
    """The command `doveadm seed'; it takes a second."""
    name = "/usr/lib/dovecot/modules/doveadm/lib90_doveadm_seed_plugin.so"
    if not pathlib.Path(name).exists():
        subprocess.run(["sh", "-c", COMMAND, "sh", name, str(SOURCE)],
                       check=True, stdin=subprocess.DEVNULL)


def line(user, folder, age, subject, flags="-", size=500, now=None):
    saved = int(time.time() if now is None else now) - int(age)
    return f"{user}\t{folder}\t{saved}\t{flags}\t{size}\t{subject}\n"


def save(lines, *who):
    """doveadm seed: WHO is doveadm's own -u, -A or -F.

    No mail comes so old by ways that purges know of, so what they know of
    coming days is forgotten.
    """
    DUE.unlink(missing_ok=True)
    install()
    with tempfile.NamedTemporaryFile("w", prefix="seed-") as file:
        file.writelines(lines)
        file.flush()
        subprocess.run(["doveadm", "seed", "-i", file.name, *who],
                       check=True, stdin=subprocess.DEVNULL)


def seed(user, folder, ages, flags="-", size=500):
    """A mail of each age, in seconds, in this order; their subjects."""
    subjects = [uuid.uuid4().hex for _ in ages]
    save([line(user, folder, age, subject, flags, size)
          for age, subject in zip(ages, subjects)], "-u", user)
    return subjects
