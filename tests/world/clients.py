"""tests/world/clients.py - real mail clients: each hands a list of messages to the relay and returns the numbers it saw accepted.

A message is a dict: number, sender, rcpts, data (CRLF bytes), kind. A way in is a dict: port, tls (None, "starttls", "implicit"), login.
"""
import json
import os
import smtplib
import ssl
import subprocess
import threading

from world import HERE

USER, PASSWORD = "shop", "correct horse battery"


def tls_context(cert):
    return ssl.create_default_context(cafile=cert)


def smtplib_send(messages, way, cert, threads=4):
    """Python's smtplib, several threads, connections kept for ten messages."""
    accepted, refused, lock = [], [], threading.Lock()

    def connect():
        if way["tls"] == "implicit":
            smtp = smtplib.SMTP_SSL("localhost", way["port"], timeout=60, context=tls_context(cert))
        else:
            smtp = smtplib.SMTP(way.get("host", "localhost"), way["port"], timeout=60)
        if way["tls"] == "starttls":
            smtp.starttls(context=tls_context(cert))
        smtp.ehlo_or_helo_if_needed()
        if way["login"]:
            smtp.login(USER, PASSWORD)
        return smtp

    def run(part):
        smtp = None
        for i, m in enumerate(part):
            if i % 10 == 0:
                if smtp:
                    smtp.quit()
                smtp = connect()
            options = ["BODY=8BITMIME"] if m["kind"] != "utf8-header" else ["BODY=8BITMIME", "SMTPUTF8"]
            try:
                smtp.sendmail(m["sender"], m["rcpts"], m["data"], options)
                with lock:
                    accepted.append(m["number"])
            except smtplib.SMTPException as error:
                with lock:
                    refused.append((m["number"], str(error)))
        if smtp:
            smtp.quit()

    workers = [threading.Thread(target=run, args=(messages[i::threads],)) for i in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return accepted, refused


def by_process(messages, argv_of, jobs=4, feed=True):
    """One process a message, `jobs` at a time."""
    accepted, refused, lock = [], [], threading.Lock()

    def run(part):
        for m in part:
            done = subprocess.run(argv_of(m), input=m["data"].replace(b"\r\n", b"\n") if feed else None, capture_output=True)
            with lock:
                if done.returncode == 0:
                    accepted.append(m["number"])
                else:
                    refused.append((m["number"], (done.stderr + done.stdout).decode(errors="replace")[-300:]))

    workers = [threading.Thread(target=run, args=(messages[i::jobs],)) for i in range(jobs)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return accepted, refused


def swaks_send(messages, way, cert, world):
    for m in messages:
        m["file"] = world.path("swaks-%d.eml" % m["number"])
        with open(m["file"], "wb") as f:
            f.write(m["data"].replace(b"\r\n", b"\n")[:-1])
    extra = {"starttls": ["--tls"], "implicit": ["--tlsc"], None: []}[way["tls"]]
    if way["login"]:
        extra = extra + ["--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD]
    return by_process(messages, lambda m: ["swaks", "--server", "127.0.0.1", "--port", str(way["port"]), "--from", m["sender"], "--to",
                                           ",".join(m["rcpts"]), "--data", "@" + m["file"], "--silent", "2", *extra], feed=False)


def msmtp_send(messages, way, cert, world):
    lines = ["host localhost", "port %d" % way["port"], "timeout 60", "set_from_header off", "set_date_header off"]
    if way["tls"]:
        lines += ["tls on", "tls_trust_file " + cert, "tls_starttls " + ("on" if way["tls"] == "starttls" else "off")]
    if way["login"]:
        lines += ["auth plain", "user " + USER, "password " + PASSWORD]
    config = world.write("msmtprc-%d" % way["port"], "\n".join(lines) + "\n", 0o600)
    return by_process(messages, lambda m: ["msmtp", "-C", config, "-f", m["sender"], "--", *m["rcpts"]])


def nodemailer_send(messages, way, cert, world):
    listed = []
    for m in messages:
        file = world.path("node-%d.eml" % m["number"])
        with open(file, "wb") as f:
            f.write(m["data"])
        listed.append({"number": m["number"], "sender": m["sender"], "rcpts": m["rcpts"], "file": file})
    # Node asks for "localhost" once and takes the first answer, which may be ::1.
    transport = {"host": "127.0.0.1", "tls": {"servername": "localhost"}, "port": way["port"], "secure": way["tls"] == "implicit",
                 "ignoreTLS": way["tls"] is None, "requireTLS": way["tls"] == "starttls"}
    if way["login"]:
        transport["auth"] = {"user": USER, "pass": PASSWORD}
    job = world.write("node-%d.json" % way["port"], json.dumps({"transport": transport, "messages": listed}))
    done = subprocess.run(["node", os.path.join(HERE, "nodemailer.js"), job], capture_output=True, text=True,
                          env=dict(os.environ, NODE_PATH="/usr/share/nodejs", NODE_EXTRA_CA_CERTS=cert))
    accepted = [int(line) for line in done.stdout.split()]
    return accepted, [(line, "") for line in done.stderr.splitlines()]
