#!/usr/bin/python3
"""tests/disk/relay.py - the whole relay on a disk that fills: 452 to the clients, nothing lost, recovery by itself.

usage: relay.py tmpfs|quota|sync     prints "ok NAME" or "not ok NAME"
"""
import os
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "world"))
from messages import demo_id  # noqa: E402
from world import BUILD, Receiver, World, free_port, wait_for  # noqa: E402

CONFIG = """
hostname: relay.example
state: {state}
control: {dir}/control
user: root
listen: [{{at: "127.0.0.1:{port}", tls: none, auth: none}}]
tenants: [{{name: shop, from: [127.0.0.0/8], pool: main}}]
sources: [{{name: a, ip: 127.0.0.11, ehlo: a.relay.example}}]
pools: [{{name: main, sources: [a]}}]
limits: {{disk: {quota}}}
routes: [{{domain: "*", to: "127.0.1.1:{mx}"}}]
dns: {{forward: ["127.0.0.1@9"], anchors: []}}
delivery: {{refuse_networks: []}}
retry: {{first: 1s, max: 2s, expire: 1h}}
"""


class Gate:
    """Defers everything until it is opened."""
    open = False

    def __call__(self, stage, session):
        return None if self.open or stage != "rcpt" else "451 4.3.0 not yet"


def send(port, number, size=60000):
    """The reply code after the dot (250, 452, ...), or of the command that was refused."""
    smtp = smtplib.SMTP("127.0.0.1", port, timeout=30)
    try:
        body = ("x" * 70 + "\r\n") * (size // 72)
        smtp.sendmail("a@shop.example", ["r%d@one.example" % number], "Subject: disk\r\nX-Demo-Id: %d\r\n\r\n%s" % (number, body))
        return 250
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    finally:
        smtp.close()


def fill(port, first, limit=2000):
    """Numbers that were acknowledged until the first refusal, and its code."""
    acknowledged = []
    for number in range(first, first + limit):
        code = send(port, number)
        if code != 250:
            return acknowledged, code
        acknowledged.append(number)
    return acknowledged, 250


def check(ok, name, text=""):
    print(("ok relay: " if ok else "not ok relay: ") + name + (": %s" % (text,) if text and not ok else ""), flush=True)
    return ok


def arrived(receiver):
    return {demo_id(record["data"]) for record in receiver.records}


def full(world, kind):
    state = world.path("state")
    mounted = False
    if kind == "tmpfs":
        os.mkdir(state)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", state], stderr=subprocess.DEVNULL).returncode == 0
        if not mounted:
            print("ok relay: tmpfs # skip: no mount here")
            return True
    try:
        return full_on(world, kind, state)
    finally:
        if mounted:
            for process in world.processes:
                if process.poll() is None:
                    process.terminate()
                    process.wait(20)
            subprocess.run(["umount", state])


def full_on(world, kind, state):
    port, mx, gate = free_port(), free_port(), Gate()
    receiver = Receiver("127.0.1.1", mx, gate)
    quota = "12M" if kind == "quota" else "50G"
    relay = world.relay(CONFIG.format(dir=world.dir, state=state, port=port, mx=mx, quota=quota))
    acknowledged, code = fill(port, 1)
    ok = check(code == 452 and len(acknowledged) > 50, kind + "_full_is_a_452", (code, len(acknowledged)))
    ok &= check(relay.process.poll() is None, kind + "_the_daemon_stays_up")
    again = [send(port, 100000 + n) for n in range(3)]
    ok &= check(all(c in (250, 452) for c in again), kind + "_further_mail_hears_452_or_fits", again)
    acknowledged += [100000 + n for n, c in enumerate(again) if c == 250]
    gate.open = True
    wait_for("the queue to empty", lambda: set(acknowledged) <= arrived(receiver), 60)
    ok &= check(True, kind + "_what_was_queued_is_delivered")
    time.sleep(1.5)
    more, code = fill(port, 200000, 20)
    ok &= check(code == 250, kind + "_it_takes_mail_again_by_itself", code)
    wait_for("the rest", lambda: set(more) <= arrived(receiver), 30)
    twice = len(receiver.records) - len(arrived(receiver))
    ok &= check(twice == 0, kind + "_nothing_arrives_twice", twice)
    ok &= check(relay.relayq("check", check=False).returncode == 0, kind + "_check_finds_nothing")
    ok &= check(relay.stop() == 0, kind + "_it_ends_in_good_order")
    return ok


def failing_sync(world):
    """One commit fails with EIO: its mail hears 451, the store is opened anew, the rest goes on."""
    port, mx, gate = free_port(), free_port(), Gate()
    gate.open = True
    receiver = Receiver("127.0.1.1", mx, gate)
    relay = world.relay(CONFIG.format(dir=world.dir, state=world.path("state"), port=port, mx=mx, quota="50G"),
                        env={"LD_PRELOAD": os.path.join(BUILD, "fault_lmdb.so"), "WARMRELAY_FAULT": "fail=EIO:40"})
    codes = {number: send(port, number, 2000) for number in range(1, 120)}
    taken = [n for n, c in codes.items() if c == 250]
    wait_for("what was taken to arrive", lambda: set(taken) <= arrived(receiver), 30)
    ok = check(set(codes.values()) <= {250, 451}, "sync_a_failed_commit_is_a_451_at_most", set(codes.values()))
    ok &= check("store-reopened" in relay.log(), "sync_the_store_is_opened_anew")
    ok &= check(len(taken) >= 115, "sync_the_rest_goes_on", len(taken))
    # Outcomes that fell into the failed commit are stored a second later.
    wait_for("the store to be empty", lambda: not relay.json("list"), 20)
    found = relay.relayq("check", check=False)
    ok &= check(found.returncode == 0, "sync_check_finds_nothing", found.stdout + found.stderr)
    ok &= check(relay.stop() == 0, "sync_it_ends_in_good_order")
    return ok


def main():
    world = World("disk")
    kind = sys.argv[1]
    return 0 if (failing_sync(world) if kind == "sync" else full(world, kind)) else 1


if __name__ == "__main__":
    sys.exit(main())
