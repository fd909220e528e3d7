"""load - many sessions that work on the same mailboxes at random
SPDX-License-Identifier: ISC

    load = Load(ledgers, seed=1)
    load.run(60)            # raises what went wrong, if anything did
    load.stop()
"""
import collections
import random
import re
import subprocess
import threading
import time

from world.dovecot import Lmtp
from world.imap import RawImap, Wrong
from world.mailbox import doveadm
from world.message import Mail
from world.postfix import pids_of

FOLDERS = ("INBOX", "Work", "Junk", "Trash")
FLAGS = ("\\Seen", "\\Answered", "\\Draft", "$Label1")


def message(name, size):
    """Of an exact size, each octet of it known by its name."""
    head = f"From: someone@sender.example\r\nSubject: {name}\r\n\r\n"
    line = name + "\r\n"
    text = (head + line * (size // len(line) + 1))[:size - 2] + "\r\n"
    return text.replace("\r\r", "r\r").encode()


class Session(RawImap):
    """A client that does this and that, and tells the ledger."""

    def __init__(self, ledger, load, rng, stays=False):
        self.ledger, self.load, self.rng = ledger, load, rng
        self.stays = stays
        super().__init__(ledger.user)
        self.select(rng.choice(FOLDERS))

    def met(self, uid, subject, size):
        self.ledger.met(self.folder, uid, subject, size)

    def expunged(self, uid):
        if uid is not None:
            self.ledger.expunged(self.folder, uid)

    def expect(self, reply, *codes, window=None):
        """OK, or NO with one of the codes."""
        self.load.replies[reply.code.split(" ")[0] if reply.status == "NO"
                          else reply.status] += 1
        if reply.ok:
            return True
        if reply.status != "NO" or reply.code not in codes:
            raise Wrong(f"{self.where()}: {reply}")
        if reply.code == "OVERQUOTA":
            self.ledger.check_full(window)
        return False

    def some(self, most=5):
        """Mails that were looked at; (number, UID)."""
        known = [(n, uid) for n, uid in enumerate(self.uids, 1)
                 if (self.folder, uid) in self.ledger.entries]
        return self.rng.sample(known, min(len(known),
                                          self.rng.randint(1, most)))

    def command(self, verb, chosen, rest):
        """By number or by UID; sends it."""
        column = self.rng.randint(0, 1)
        numbers = ",".join(str(one[column]) for one in sorted(chosen))
        return self.send(f"{'UID ' * column}{verb} {numbers} {rest}")

    def step(self):
        steps, weights = zip(*STEPS[:-3] if self.stays else STEPS)
        self.look()
        self.rng.choices(steps, weights)[0](self)

    # --- what adds ------------------------------------------------------------

    def append(self):
        folder = self.rng.choice(FOLDERS)
        name = self.ledger.new_name()
        size = int(self.rng.lognormvariate(8, 1)) % 60000 + 200
        flags = self.rng.choice(["", "(\\Seen) "])
        with self.ledger.in_the_air(size) as window:
            tag = self.send(f"APPEND {folder} {flags}".rstrip(),
                            message(name, size))
            reply = self.wait(tag)
            if self.expect(reply, "OVERQUOTA", "INUSE", window=window):
                uid = int(re.match(r"APPENDUID \d+ (\d+)", reply.code)[1])
                self.ledger.saved(folder, uid, name, size)
            else:
                self.ledger.refuse(name)

    def append_nowhere(self):
        reply = self.cmd("APPEND Nowhere", message("nothing", 300))
        if self.expect(reply, "TRYCREATE"):
            raise Wrong(f"APPEND Nowhere: {reply}")

    def copy(self, verb="COPY"):
        chosen, to = self.some(), self.rng.choice(FOLDERS)
        if not chosen or to == self.folder:
            return
        folder, uids = self.folder, [uid for _, uid in chosen]
        moves = verb == "MOVE"
        if moves:
            self.ledger.claim(folder, uids)
        with self.ledger.in_the_air(self.ledger.sizes(folder, uids)) as window:
            reply = self.wait(self.command(verb, chosen, to))
            # a full mailbox takes moves, and nothing else
            full = () if moves else ("OVERQUOTA",)
            if self.expect(reply, "EXPUNGEISSUED", "INUSE", *full,
                           window=window):
                pairs = reply.copied()
                if not pairs.keys() <= set(uids):
                    raise Wrong(f"{self.where()}: {verb} {uids}: {reply}")
                self.ledger.copied(folder, pairs, to, moves)
        if moves:
            self.ledger.unclaim(folder, uids)

    def move(self):
        self.copy("MOVE")

    # --- what removes ---------------------------------------------------------

    def delete(self):
        chosen = self.some(3)
        if not chosen:
            return
        self.ledger.delete(self.folder, [uid for _, uid in chosen])
        self.expect(self.wait(self.command(
            "STORE", chosen, "+FLAGS.SILENT (\\Deleted)")), "EXPUNGEISSUED")
        self.expect(self.cmd(self.rng.choice(
            ["EXPUNGE", "UID EXPUNGE 1:*", "NOOP"])))

    def close_folder(self):
        self.expect(self.cmd("CLOSE"))
        self.reselect()

    def reselect(self):
        self.select(self.rng.choice(FOLDERS))

    # --- what changes nothing, or only flags ----------------------------------

    def store(self):
        chosen = self.some()
        if not chosen:
            return
        uids, sign = [uid for _, uid in chosen], self.rng.choice("+-")
        flag = self.rng.choice(FLAGS)
        if self.rng.random() < .1:
            flag = "\\Flagged"
            self.ledger.keep(self.folder, uids, sign == "+")
        self.expect(self.wait(self.command(
            "STORE", chosen, f"{sign}FLAGS ({flag})")), "EXPUNGEISSUED")

    def fetch(self):
        chosen = self.some(1)
        if not chosen:
            return
        [(number, uid)] = chosen
        reply = self.cmd(f"FETCH {number} (UID BODY.PEEK[])")
        self.expect(reply, "EXPUNGEISSUED")
        for text in reply.untagged:
            found = re.match(rb"\* %d FETCH \(UID %d BODY\[\] \{(\d+)\}\r\n"
                             % (number, uid), text)
            if found:
                self.check_text(uid, text[found.end():][:int(found[1])])
                return
        self.ledger.missed(self.folder, uid)

    def check_text(self, uid, text):
        entry = self.ledger.entries[self.folder, uid]
        name = entry.name.encode()
        if b"\nSubject: %s\r\n" % name not in text or \
                len(text) != entry.size or (
                    text.startswith(b"From: someone") and b"-" in name and
                    text != message(entry.name, entry.size)):
            raise Wrong(f"{self.where()} {uid}: {entry.name} is damaged")

    def search(self):
        self.verify()
        found = self.cmd("UID SEARCH ALL")
        self.expect(found)
        for text in found.untagged:
            if text.startswith(b"* SEARCH"):
                told = {int(uid) for uid in text.split()[2:]}
                known = set(self.uids) - {None}
                if not known <= told:
                    raise Wrong(f"{self.where()}: SEARCH lacks {known - told}")

    def quota(self):
        ledger, found = self.ledger, None
        with ledger.in_the_air(0) as window:
            reply = self.cmd("GETQUOTAROOT INBOX")
            self.expect(reply)
            for text in reply.untagged:
                found = found or re.search(rb"STORAGE (\d+) (\d+)", text)
        if not found or int(found[2]) * 1024 != ledger.limit:
            raise Wrong(f"{self.where()}: {reply.untagged}")
        if (int(found[1]) - 1) * 1024 > ledger.limit + ledger.trash + \
                ledger.slack + window.pending:
            raise Wrong(f"{self.where()}: {reply.untagged}, {window.pending} "
                        "octets were on their way")

    def status(self):
        self.expect(self.cmd(f"STATUS {self.rng.choice(FOLDERS)} "
                             "(MESSAGES UIDNEXT UNSEEN)"))

    def rest(self):
        self.expect(self.idle(lambda: time.sleep(self.rng.random() / 5)))

    # --- its own end ----------------------------------------------------------

    def logout(self):
        self.expect(self.cmd("LOGOUT"))
        self.again()

    def again(self):
        self.close()
        Session.__init__(self, self.ledger, self.load, self.rng)

    def cut_append(self):
        """The client dies in the middle of a mail."""
        name = self.ledger.new_name()
        text = message(name, 9000)
        self.sock.sendall(b"x APPEND INBOX {%d+}\r\n%s" % (
            len(text), text[:self.rng.randint(0, 8999)]))
        self.ledger.refuse(name)
        self.again()

    def cut_move(self):
        """The client dies before it hears what became of its move."""
        chosen, to = self.some(1), self.rng.choice(FOLDERS)
        if not chosen or to == self.folder:
            return
        [(_, uid)] = chosen
        self.ledger.cut_move(self.folder, uid, to)
        self.command("MOVE", chosen, to)
        self.again()


# the last three end the session
STEPS = (
    (Session.append, 20), (Session.append_nowhere, 1), (Session.copy, 12),
    (Session.move, 14), (Session.delete, 14), (Session.close_folder, 2),
    (Session.reselect, 4), (Session.store, 14), (Session.fetch, 8),
    (Session.search, 4), (Session.quota, 4), (Session.status, 3),
    (Session.rest, 4), (Session.logout, 1), (Session.cut_append, .5),
    (Session.cut_move, .5),
)


class Load:
    """The sessions of all users, deliveries and purges, each a thread.  A
    user's first session stays to the end."""

    def __init__(self, ledgers, seed, sessions=4):
        self.ledgers, self.seed, self.sessions = ledgers, seed, sessions
        self.replies, self.wrong = collections.Counter(), []
        self.purges, self.threads = 0, []
        self.staying = {}       # process: session
        for n, ledger in enumerate(ledgers):
            before = set(pids_of("imap"))
            session = Session(ledger, self, self.random(n, 0), stays=True)
            [pid] = set(pids_of("imap")) - before
            self.staying[pid] = session

    def random(self, *what):
        return random.Random(f"{self.seed} {what}")

    def run(self, seconds):
        """Until then; may be called again."""
        self.end = time.monotonic() + seconds
        for session in self.staying.values():
            self.start(session.step)
        for n, ledger in enumerate(self.ledgers):
            for m in range(1, self.sessions):
                self.start(self.work, ledger, self.random(n, m))
        self.start(self.deliver, self.random("lmtp"))
        self.start(self.purge)
        while self.threads:
            self.threads.pop().join()
        if self.wrong:
            self.close()
            self.wrong[0].add_note(str(doveadm("mailreeve", "quota", "-A")))
            raise self.wrong[0]

    def stop(self):
        for session in self.staying.values():
            session.verify()
        self.close()

    def close(self):
        for session in self.staying.values():
            session.close()

    def start(self, what, *args):
        def run():
            try:
                while self.working():
                    what(*args)
            except Exception as error:
                self.wrong.append(error)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def working(self):
        return time.monotonic() < self.end and not self.wrong

    def work(self, ledger, rng):
        session = Session(ledger, self, rng)
        try:
            while self.working():
                session.step()
            session.verify()
        finally:
            session.close()

    def deliver(self, rng):
        """To two users at once, by one connection after the other."""
        with Lmtp() as client:
            for _ in range(rng.randint(1, 20)):
                if not self.working():
                    return
                ledgers = rng.sample(self.ledgers, 2)
                size = rng.randint(300, 9000)
                self.deliver_to(client, ledgers, size)

    def deliver_to(self, client, ledgers, size):
        names = [ledger.new_name() for ledger in ledgers]
        name = "+".join(names)
        m = Mail(message(name, size))
        m.sender, m.to = "someone@sender.example", [one.user
                                                    for one in ledgers]
        one, two = ledgers
        with one.in_the_air(size + 1000) as first, \
                two.in_the_air(size + 1000) as second:
            if client.envelope(m).code != 250:
                raise Wrong(f"RCPT: {client.last}")
            if client.data(m).code // 100 == 5:
                raise Wrong(f"DATA: {client.last}")
            for ledger, reply, window in (
                    (one, client.last, first), (two, client.read(), second)):
                taken = reply.code == 250
                if (reply.code, reply.enhanced) == (452, "4.2.2"):
                    ledger.check_full(window)
                elif not taken and "many mails" not in reply.text.lower():
                    raise Wrong(f"{ledger.user}: {reply}")
                ledger.lmtp(name, size, taken)

    def purge(self):
        for command in ("mailreeve purge -A", "mailreeve purge -n -A",
                        "mailreeve quota -A", "mailreeve purge --full -A",
                        "quota recalc -A"):
            ran = subprocess.run(["doveadm", *command.split()], text=True,
                                 capture_output=True,
                                 stdin=subprocess.DEVNULL)
            if ran.returncode or re.search("Error|Warning|Fatal|Panic",
                                           ran.stderr):
                raise Wrong(f"doveadm {command}: {ran}")
            self.purges += 1
            if not self.working():
                return
