#!/usr/bin/python3
"""tests/warmup/live.py - a relay with a cold address beside a warm one: what relayq tells of it, and what kill -9 leaves of that.

One "ok NAME" or "not ok NAME" for each test. Loopback alone; ports are free ones.
"""
import os
import signal
import smtplib
import subprocess
import sys
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "world"))
from world import Receiver, World, free_port, wait_for  # noqa: E402

CONFIG = """
hostname: relay.example
state: {dir}/state
control: {dir}/control
user: root
workers: 1
listen: [{{at: "127.0.0.1:{port}", tls: none, auth: none}}]
tenants: [{{name: shop, from: [127.0.0.0/8], pool: main}}]
providers: [{{name: big, domains: [big.example]}}]
sources: [{{name: cold, ip: 127.0.0.11, warmup: {{plan: adaptive}}}}, {{name: warm, ip: 127.0.0.12}}]
pools: [{{name: main, sources: [cold, warm]}}]
routes: [{{domain: "*", to: "127.0.0.1:{mx}"}}]
delivery: {{refuse_networks: []}}
"""
failed = 0


def report(name, *faults):
    global failed
    faults = [f for f in faults if f]
    print("%sok %s" % ("not " if faults else "", name), flush=True)
    for fault in faults:
        print("#   %s" % (fault,), flush=True)
    failed += bool(faults)


def send(port, count):
    with smtplib.SMTP("127.0.0.1", port, local_hostname="app.example") as smtp:
        for i in range(count):
            smtp.sendmail("app@shop.example", ["r%d@big.example" % i], "Subject: one\r\n\r\nbody\r\n")


def too_wide(relay, width, *verb):
    """Lines that are longer than a terminal of that width."""
    command = "stty cols %d; exec %s/relayq -c %s warmup %s" % (width, os.environ.get("BUILD", "build"), relay.config, " ".join(verb))
    done = subprocess.run(["script", "-qec", command, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("\r", "").splitlines()
    return (len(lines) < 2 and "nothing at %d columns" % width) or "\n".join(line for line in lines if len(line) > width)


def main(world):
    port, mx = free_port(), free_port()
    receiver = Receiver("127.0.0.1", mx)
    relay = world.relay(CONFIG.format(dir=world.dir, port=port, mx=mx), "relay")
    refused = relay.relayq("warmup", "forecast", check=False)
    report("without any past and mix no date is told", refused.returncode != 1 and refused.stdout,
           "--mix" not in refused.stderr and refused.stderr)
    send(port, 40)
    wait_for("forty messages", lambda: len(receiver.records) == 40)
    cold = [r for r in receiver.records if r["source"] == "127.0.0.11"]
    report("a cold address has little and the warm one the rest", not 1 <= len(cold) <= 15 and "%d of 40" % len(cold))

    wait_for("the outcome", lambda: sum(r["delivered"] for r in relay.json("warmup", "history")) == len(cold))
    row = relay.json("warmup", "history")[-1]
    report("today is the last day of the history", row["source"] != "cold" and row, row["destination"] != "big" and row,
           row["used"] != len(cold) and row, not 0 < row["all_sources"] <= 40 and row)

    picture = world.path("past.svg")
    relay.relayq("warmup", "history", "--source", "cold", "--svg", picture)
    report("a history is drawn", len(list(xml.etree.ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}polyline"))) != 3 and
           "not a curve each of budget, delivered and refused")
    report("a history may be of one source or destination", relay.json("warmup", "history", "--source", "warm"),
           relay.json("warmup", "history", "--destination", "small"),
           len(relay.json("warmup", "history", "--source", "cold", "--destination", "big")) < 1 and "nothing of the two that are meant")

    row = relay.json("warmup", "forecast", "--daily", "20k", "--mix", "big=50")[0]
    report("a forecast tells an interval", row["share"] != 5000 and row,
           not (row["full_early"] and row["full_late"] and row["full_early"] < row["full_late"]) and row,
           row["over_early"] > row["over_late"] and row, not row["warm_beside"] and row)
    picture = world.path("ahead.svg")
    relay.relayq("warmup", "forecast", "--daily", "20k", "--mix", "big=50", "--svg", picture)
    unwritable = relay.relayq("warmup", "forecast", "--daily", "20k", "--mix", "big=50", "--svg", world.path("no", "folder.svg"), check=False)
    report("a forecast is drawn", len(list(xml.etree.ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}polyline"))) != 2 and
           "not two curves", unwritable.returncode == 0 and "no complaint about a file that cannot be written",
           "folder.svg" not in unwritable.stderr and unwritable.stderr)
    report("a mix that makes no sense is refused",
           *[relay.relayq("warmup", "forecast", "--daily", "1k", "--mix", mix, check=False).returncode != 2 and mix
             for mix in ("big", "big=x", "big=70,small=40", "=5")])

    relay.relayq("warmup", "complained", "cold", "big", "2")
    before = [r for r in relay.json("warmup", "status") if r["source"] == "cold"][0]
    relay.stop(signal.SIGKILL)
    relay.start()
    after = [r for r in relay.json("warmup", "status") if r["source"] == "cold"][0]
    report("kill -9 changes nothing of it", before["complaints"] != 2 and before,
           *[before[key] != after[key] and "%s: %s, then %s" % (key, before[key], after[key])
             for key in ("used", "budget", "delivered", "complaints", "step", "phase")])
    relay.relayq("warmup", "retire", "warm", "--days", "10", "--into", "cold")
    refused = relay.relayq("warmup", "retire", "warm", "--into", "nobody", check=False)
    relay.stop(signal.SIGKILL)
    relay.start()
    swap = [r for r in relay.json("warmup", "status") if r["source"] == "warm"]
    kept = [r["state"] for r in relay.json("source", "list") if r["source"] == "warm"]
    report("a retirement outlasts kill -9 and says so", refused.returncode == 0 and "a successor that does not exist was taken",
           len(swap) != 1 and "no row", *[(r["phase"] != "retiring" or r["into"] != "cold" or r["share_percent"] < 95) and r for r in swap],
           kept != ["retiring"] and kept)
    relay.relayq("warmup", "resume", "warm")
    relay.stop(signal.SIGKILL)
    relay.start()
    report("resume ends a retirement", any(r["source"] == "warm" for r in relay.json("warmup", "status")) and "it is still told",
           relay.json("source", "list")[1]["state"] != "active" and relay.json("source", "list"))
    relay.relayq("source", "drain", "warm")
    relay.relayq("warmup", "step", "cold", "big", "5")
    send(port, 30)
    wait_for("mail that is late", lambda: any(r["phase"] == "late" for r in relay.json("warmup", "status")), 15)
    late = [r for r in relay.json("warmup", "status") if r["phase"] == "late"]
    report("mail that a cold address cannot send in time is told of", late[0]["destination"] != "big" and late, late[0]["waiting"] < 20 and late)
    relay.relayq("source", "enable", "warm")
    report("a lane fits a terminal of eighty columns", too_wide(relay, 80, "status"), too_wide(relay, 120, "status"),
           too_wide(relay, 120, "history"))
    for verb in (["status"], ["history"], ["forecast", "--daily", "20k", "--mix", "big=50"]):
        text = relay.relayq("warmup", *verb).stdout
        print("\n".join("#   " + line for line in text.splitlines()))
    relay.stop()


main(World("warmup"))
sys.exit(failed > 0)
