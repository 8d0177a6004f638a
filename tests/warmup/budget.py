#!/usr/bin/python3
"""tests/warmup/budget.py - kill -9 in every state of an attempt from a cold address: its budget of the day is neither exceeded nor lost.

Each round starts relayd on the store that the last one left and kills it: inside a commit of a claim or a settle, or while a receiver holds a session
before MAIL, before the answer to RCPT, or before the final answer. The receiver counts what it was asked to take. One "ok NAME" or "not ok NAME" for
each test. Loopback alone; ports are free ones.
"""
import os
import signal
import smtplib
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "world"))
from world import BUILD, ROOT, Receiver, World, free_port, wait_for  # noqa: E402

CONFIG = """
hostname: relay.example
state: {dir}/state
control: {dir}/control
user: root
workers: 1
listen: [{{at: "127.0.0.1:{port}", tls: none, auth: none}}]
tenants: [{{name: shop, from: [127.0.0.0/8], pool: main}}]
providers: [{{name: big, domains: [big.example]}}]
plans: [{{name: day, days: [200000]}}]
sources: [{{name: cold, ip: 127.0.0.11, warmup: {{plan: day}}}}]
pools: [{{name: main, sources: [cold]}}]
routes: [{{domain: "*", to: "127.0.0.1:{mx}"}}]
delivery: {{refuse_networks: [], keepalive: 1s}}
retry: {{first: 1s, max: 1s, expire: 1h}}
"""
STATES = ["claim:before", "claim:after", "settle:before", "settle:after", "connect", "mail", "rcpt", "dot"]
EACH = 5  # messages of a round
failed = 0


def report(name, *faults):
    global failed
    faults = [f for f in faults if f]
    print("%sok %s" % ("not " if faults else "", name), flush=True)
    for fault in faults:
        print("#   %s" % (fault,), flush=True)
    failed += bool(faults)


class Peer:
    """Counts recipients that were asked for; at one stage it holds its answer, or ends the session."""

    def __init__(self):
        self.asked, self.hold, self.refuse, self.held = 0, None, False, threading.Event()

    def __call__(self, stage, session):
        if stage == "rcpt":
            self.asked += 1
        if stage == self.hold:
            self.held.set()
            time.sleep(0.6)
        return "421 4.3.2 not now" if self.refuse and stage == "connect" else None


def send(port, count):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="app.example") as smtp:
        for i in range(count):
            smtp.sendmail("app@shop.example", ["r%d@big.example" % i], "Subject: one\r\n\r\nbody\r\n")


def used(relay):
    rows = [r for r in relay.json("warmup", "status") if r["source"] == "cold"]
    return rows[0]["used"] if rows else 0


def is_empty(relay):
    total = relay.total()
    return total["complete"] and total["waiting"] + total["active"] + total["deferred"] == 0


def kill_round(relay, peer, port, state):
    """Sends some, and kills in that state; False: it was not come to."""
    peer.held.clear()
    peer.hold = None if ":" in state else state
    relay.env = {"LD_PRELOAD": os.path.join(BUILD, "fault_lmdb.so"), "WARMRELAY_FAULT": "kill=%s:2" % state} if ":" in state else {}
    relay.start()
    try:
        send(port, EACH)
    except (OSError, smtplib.SMTPException):
        pass  # killed meanwhile
    if ":" in state:
        try:
            relay.process.wait(10)
        except subprocess.TimeoutExpired:
            return False
        return True
    reached = peer.held.wait(10)
    relay.process.send_signal(signal.SIGKILL)
    relay.process.wait()
    return reached


def main(world):
    subprocess.run([os.environ.get("MAKE", "make"), "-s", "--no-print-directory", "-C", ROOT, "BUILD=" + BUILD, os.path.join(BUILD, "fault_lmdb.so")],
                   check=True)
    port, mx = free_port(), free_port()
    peer = Peer()
    receiver = Receiver("127.0.0.1", mx, peer)
    relay = world.relay(CONFIG.format(dir=world.dir, port=port, mx=mx), "relay")
    relay.stop()
    over, missed, kills = [], [], 0
    for state in STATES:
        if not kill_round(relay, peer, port, state):
            missed.append(state)
        kills += 1
        peer.hold, relay.env = None, {}
        relay.start()
        wait_for("the queue to empty after " + state, lambda: is_empty(relay), 60)
        wait_for("the end of its sessions", lambda: used(relay) >= peer.asked, 5)
        now = used(relay)
        print("# killed in %-13s asked for %3d, budget used %3d" % (state, peer.asked, now), flush=True)
        if now > peer.asked + 2 * EACH * kills:
            over.append("%s: used %d for %d" % (state, now, peer.asked))
        relay.stop()
    report("every state was killed in", missed)
    report("no kill makes the budget forget what was asked for, and each costs what was under way at most", over)

    relay.start()
    before, peer.refuse = used(relay), True
    send(port, 3)
    wait_for("refused connections", lambda: receiver.sources.get("127.0.0.11", 0) and relay.total()["deferred"] + relay.total()["waiting"] == 3, 20)
    wait_for("what refused sessions had claimed", lambda: used(relay) == before, 10)
    relay.process.send_signal(signal.SIGKILL)
    relay.process.wait()
    relay.start()
    after = used(relay)
    report("sessions that end before MAIL cost nothing, after kill -9 too", not before <= after <= before + 3 and "%d, after kill -9 %d" % (before, after))
    peer.refuse = False
    wait_for("the last mail", lambda: is_empty(relay), 90)
    found = relay.relayq("check", check=False)
    report("relayq check finds nothing", found.returncode != 0 and found.stdout[-300:])
    relay.stop()


main(World("budget"))
sys.exit(failed > 0)
