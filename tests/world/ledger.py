"""ledger - what must be in a mailbox, may be there, and must not
SPDX-License-Identifier: ISC

Kept while many sessions work on the mailbox at once.  A mail that was
acknowledged stays until somebody asks for its removal or a purge rule makes it
due: whoever removes mail says so here before he asks the server.
"""
import collections
import contextlib
import threading
import time

from world.imap import Wrong

HEADERS = 1000          # at most so many octets does LMTP add
WARNING = "Your mailbox is "


class Entry:
    """One mail in one folder."""

    def __init__(self, name, size, due=None, acked=True):
        self.name, self.size, self.due, self.acked = name, size, due, acked
        self.claims = 0         # moves of it that are under way
        self.loose = False      # somebody may have removed it
        self.moved = self.gone = False
        self.kept = False       # it was flagged, so that no rule removes it

    def is_due(self, margin):
        return self.due is not None and self.due <= time.time() + margin


class Window:
    """The most that the mailbox may have held at some time of it, and that was
    on its way then."""
    most = pending = 0


class Ledger:
    """Of one user.  `slack' is what warnings may add to the mailbox."""

    def __init__(self, user, limit, trash=0, slack=0):
        self.user, self.limit, self.trash = user, limit, trash
        self.slack, self.lock = slack, threading.RLock()
        self.entries = {}       # by (folder, UID)
        # names; of what was ever marked \Deleted, as copies keep flags
        self.refused, self.unknown, self.deleted = set(), set(), set()
        self.stories = {}       # name: what happened to it, where, and when
        self.delivered = {}     # name: octets, of what nobody has met yet
        self.cut_moves = []     # (folder, UID, name, to)
        self.total = self.pending = self.counter = 0
        self.windows = set()
        self.count = dict.fromkeys(("saved", "moved", "gone", "full"), 0)

    def new_name(self):
        with self.lock:
            self.counter += 1
            return f"{self.user.partition('@')[0]}-{self.counter}"

    def add(self, total=0, pending=0):
        self.total += total
        self.pending += pending
        for window in self.windows:
            window.most = max(window.most, self.total + self.pending)
            window.pending = max(window.pending, self.pending)

    @contextlib.contextmanager
    def in_the_air(self, size):
        """While something of that size may be there already."""
        window = Window()
        with self.lock:
            self.windows.add(window)
            self.add(pending=size)
        try:
            yield window
        finally:
            with self.lock:
                self.windows.discard(window)
                self.add(pending=-size)

    def tell(self, entry, folder, uid, what):
        self.stories.setdefault(entry.name, []).append(
            f"{time.time():.3f} {folder}/{uid} {what}")

    def wrong(self, folder, uid, name, what):
        return Wrong("\n".join([f"{self.user} {folder}/{uid} {name}: {what}",
                                *self.stories.get(name, [])]))

    def may_go(self, entry):
        return entry.loose or entry.moved or entry.claims > 0 or \
            entry.name in self.deleted or entry.is_due(1)

    # --- what the server says -------------------------------------------------

    def saved(self, folder, uid, name, size, due=None):
        with self.lock:
            self.count["saved"] += 1
            entry = self.entries.get((folder, uid))
            if entry is None:
                entry = Entry(name, size, due)
                self.entries[folder, uid] = entry
                self.add(total=size)
            self.check(folder, uid, entry, name, size)
            entry.acked = True
            self.tell(entry, folder, uid, "saved")
            self.check_gone(folder, uid, entry)

    def check_gone(self, folder, uid, entry):
        if entry.gone and not self.may_go(entry):
            raise self.wrong(folder, uid, entry.name,
                             "gone, and nobody asked for it")

    def check(self, folder, uid, entry, name, size):
        if (entry.name, entry.size) != (name, size):
            raise self.wrong(folder, uid, name, f"{size} octets; it was "
                             f"{entry.name}, {entry.size}")

    def met(self, folder, uid, name, size):
        """A session has seen it, perhaps before its saving was acknowledged
        or, in an old view, after its end."""
        with self.lock:
            if name in self.refused:
                raise self.wrong(folder, uid, name, "it was refused")
            entry = self.entries.get((folder, uid))
            if size == 0:
                # of one that another session is just removing
                if entry is not None:
                    self.missed(folder, uid)
                return
            if entry is not None:
                self.check(folder, uid, entry, name, size)
                return
            entry = Entry(name, size, acked=name.startswith(WARNING))
            if folder == "INBOX" and name in self.delivered:
                self.add(total=-self.delivered.pop(name))
                entry.acked = True
            self.entries[folder, uid] = entry
            self.tell(entry, folder, uid, "met")
            self.add(total=size)

    def lmtp(self, name, size, taken):
        with self.lock:
            self.count["saved"] += taken
            if not taken:
                self.refuse(name)
                return
            for (folder, _), entry in self.entries.items():
                if entry.name == name and folder == "INBOX":
                    entry.acked = True      # met already
                    return
            self.delivered[name] = size + HEADERS
            self.add(total=size + HEADERS)

    def refuse(self, name):
        with self.lock:
            self.count["full"] += 1
            self.refused.add(name)
            if any(e.name == name for e in self.entries.values()):
                raise Wrong(f"{self.user}: {name} was refused, and is there")

    def check_full(self, window):
        if window.most <= self.limit - self.slack:
            raise Wrong(f"{self.user}: OVERQUOTA, but there were at most "
                        f"{window.most} octets of {self.limit}")

    # --- removals -------------------------------------------------------------

    def sizes(self, folder, uids):
        with self.lock:
            return sum(e.size for uid in uids
                       if (e := self.entries.get((folder, uid))))

    def delete(self, folder, uids):
        """They will be marked, so that any EXPUNGE may remove them, and their
        copies, too."""
        with self.lock:
            for uid in uids:
                entry = self.entries[folder, uid]
                self.deleted.add(entry.name)
                self.tell(entry, folder, uid, "deleted")

    def cut_move(self, folder, uid, to):
        """Nobody will know what became of it, nor when it ends."""
        with self.lock:
            entry = self.entries[folder, uid]
            entry.loose = True
            self.add(pending=entry.size)
            self.unknown.add(entry.name)
            self.cut_moves.append((folder, uid, entry.name, to))
            self.tell(entry, folder, uid, f"cut move to {to}")

    def keep(self, folder, uids, flagged):
        """They were flagged, or are not any more."""
        with self.lock:
            for uid in uids:
                entry = self.entries[folder, uid]
                if flagged:
                    entry.kept = True
                else:
                    entry.loose = True

    def claim(self, folder, uids):
        with self.lock:
            for uid in uids:
                self.entries[folder, uid].claims += 1

    def unclaim(self, folder, uids):
        with self.lock:
            for uid in uids:
                entry = self.entries[folder, uid]
                entry.claims -= 1
                self.check_gone(folder, uid, entry)

    def copied(self, folder, pairs, to, moved):
        """COPYUID; of a MOVE, the sources are gone."""
        with self.lock:
            for uid, new in pairs.items():
                entry = self.entries[folder, uid]
                self.saved(to, new, entry.name, entry.size)
                if moved:
                    self.count["moved"] += 1
                    entry.moved = True
                    self.remove(entry)
                    self.tell(entry, folder, uid, "moved")

    def remove(self, entry):
        if not entry.gone:
            self.count["gone"] += 1
            entry.gone = True
            self.add(total=-entry.size)

    def expunged(self, folder, uid):
        with self.lock:
            entry = self.entries.get((folder, uid))
            if entry is None:
                return              # nobody has looked at it
            self.remove(entry)
            self.tell(entry, folder, uid, "expunged")
            if entry.acked:
                self.check_gone(folder, uid, entry)

    def missed(self, folder, uid):
        """The server has no text for it."""
        with self.lock:
            entry = self.entries[folder, uid]
            if entry.acked and not self.may_go(entry):
                raise self.wrong(folder, uid, entry.name, "without its text")

    # --- the end --------------------------------------------------------------

    def compare(self, rows):
        """rows: (folder, UID, name, octets) of all that is there, when nobody
        works any more and all that is due was purged.  What is wrong."""
        there = {}
        for folder, uid, name, size in rows:
            there[folder, uid] = name
            self.met(folder, uid, name, size)
        wrong = [f"{self.user} {name}: delivered, but never seen"
                 for name in self.delivered]
        for key, entry in self.entries.items():
            if what := self.judge(entry, key in there):
                wrong.append(str(self.wrong(*key, entry.name, what)))
        for folder, uid, name, to in self.cut_moves:
            entry = self.entries[folder, uid]
            entry.loose = False
            if (folder, uid) not in there and not self.may_go(entry) and \
                    not any(e.name == name for (f, _), e in
                            self.entries.items() if f == to):
                wrong.append(f"{self.user} {name}: lost on the way from "
                             f"{folder} to {to}")
        octets = sum(size for *_, size in rows)
        warned = sum(row[3] for row in rows if row[2].startswith(WARNING))
        if octets - warned > self.limit + self.trash:
            wrong.append("\n".join([f"{self.user} {octets} octets, the limit "
                                    f"is {self.limit}", *self.doubled(rows)]))
        return wrong

    def doubled(self, rows):
        """What is known of the moved mails that are there more than once."""
        count = collections.Counter(name for _, _, name, _ in rows)
        return [f"{name}: {story}" for name, times in count.items()
                if times > 1 and "move" in str(self.stories.get(name))
                for story in self.stories[name]]

    def judge(self, entry, there):
        if not there:
            return "" if entry.gone or self.may_go(entry) else "lost"
        if entry.gone:
            return "it is there, though it was expunged"
        if not entry.acked and entry.name not in self.unknown:
            return "nobody has saved it"
        if entry.is_due(-1) and not entry.kept:
            return "due, and not purged"
        return ""
