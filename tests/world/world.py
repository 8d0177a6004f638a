"""tests/world/world.py - a small mail world on loopback: authoritative DNS (nsd), real Postfix, scripted receivers, relayd.

Everything lives in one temporary folder and ends with the program that made it. Standard library only.
"""
import atexit
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))


def free_port():
    """A TCP port that is free on every loopback address right now, below those that connections going out are given."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue


def wait_for(what, condition, seconds=20):
    """Wait until `condition()` is true; a clear failure otherwise."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise SystemExit("gave up waiting for " + what)


def port_open(host, port):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


class World:
    """The temporary folder and the processes in it."""

    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix="warmrelay-" + name + "-")
        os.chmod(self.dir, 0o755)
        self.processes = []
        self.postfixes = []
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: exit(143))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def spawn(self, argv, log, **more):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=open(self.path(log), "ab"),
                                   stderr=subprocess.STDOUT, **more)
        self.processes.append(process)
        return process

    def close(self):
        for config in self.postfixes:
            subprocess.run(["postfix", "-c", config, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes, self.postfixes = [], []
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- DNS ---------------------------------------------------------------------------------------------------------
    def dns(self, zones, address="127.0.0.1"):
        """Serve `zones` {name: text of records} with nsd; returns the port."""
        port = free_port()
        conf = ["server:", "  ip-address: %s@%d" % (address, port), "  port: %d" % port, '  username: ""', '  chroot: ""',
                "  server-count: 1", '  zonesdir: "%s"' % self.dir, '  pidfile: "%s"' % self.path("nsd.pid"),
                '  database: ""', '  zonelistfile: "%s"' % self.path("nsd.zones"), '  xfrdfile: "%s"' % self.path("nsd.xfrd"),
                "remote-control:", "  control-enable: no"]
        for name, records in zones.items():
            file = self.write("zone." + name, "$ORIGIN %s.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
                              "ns A %s\n%s\n" % (name, address, records))
            conf += ["zone:", '  name: "%s"' % name, '  zonefile: "%s"' % file]
        file = self.write("nsd.conf", "\n".join(conf) + "\n")
        self.spawn(["nsd", "-d", "-c", file], "nsd.log")
        wait_for("nsd", lambda: port_open(address, port))
        return port

    # --- certificates -------------------------------------------------------------------------------------------------
    def certificate(self, name="relay.example"):
        cert, key = self.path("cert.pem"), self.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-keyout", key, "-out", cert, "-subj", "/CN=" + name, "-addext",
                        "subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1" % name], check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o644)
        return cert, key

    # --- Postfix ------------------------------------------------------------------------------------------------------
    def postfix(self, name, address, port, settings):
        """A Postfix of its own: listens on address:port, everything in our folder; returns its configuration folder."""
        base = self.path("postfix-" + name)
        config = os.path.join(base, "etc")
        os.makedirs(config)
        for part in ("spool", "data"):
            os.makedirs(os.path.join(base, part))
        os.chmod(base, 0o755)
        shutil.chown(os.path.join(base, "data"), "postfix")
        main = {
            "compatibility_level": "3.6", "queue_directory": os.path.join(base, "spool"), "data_directory": os.path.join(base, "data"),
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "myhostname": name + ".example", "mydestination": "",
            "alias_maps": "", "alias_database": "", "mynetworks": "127.0.0.0/8", "biff": "no", 
            "smtpd_peername_lookup": "no", "smtp_host_lookup": "native", "disable_dns_lookups": "yes",
            "local_recipient_maps": "", "message_size_limit": "104857600", "mailbox_size_limit": "0", "virtual_mailbox_limit": "0",
            "append_dot_mydomain": "no", "smtputf8_enable": "yes", "default_process_limit": "20",
            "maillog_file_prefixes": self.dir, "maillog_file": os.path.join(base, "mail.log"),
            "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
        }
        main.update(settings)
        with open(os.path.join(config, "main.cf"), "w") as f:
            f.writelines("%s = %s\n" % item for item in main.items())
        with open(os.path.join(config, "master.cf"), "w") as f:
            f.write("%s:%d inet n - n - - smtpd\n" % (address, port))
            for line in ("pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
                         "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
                         "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
                         "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "relay unix - - n - - smtp",
                         "showq unix n - n - - showq", "error unix - - n - - error", "retry unix - - n - - error",
                         "discard unix - - n - - discard", "virtual unix - n n - - virtual", "anvil unix - - n - 1 anvil",
                         "scache unix - - n - 1 scache", "tlsproxy unix - - n - 0 tlsproxy", "tlsmgr unix - - n 1000? 1 tlsmgr", "postlog unix-dgram n - n - 1 postlogd"):
                f.write(line + "\n")
        self.postfixes.append(config)
        done = subprocess.run(["postfix", "-c", config, "start"], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("Postfix did not start: " + done.stdout + done.stderr)
        wait_for("Postfix " + name, lambda: port_open(address, port))
        return config

    # --- the relay ----------------------------------------------------------------------------------------------------
    def relay(self, config_text, name="relay", env=None, program=None):
        """Start relayd with a configuration; {state} and {control} in it are filled in."""
        config = self.write(name + ".yaml", config_text)
        return Relay(self, config, name, env, program)


class Relay:
    def __init__(self, world, config, name, env, program):
        self.world, self.config, self.name = world, config, name
        self.env, self.program = env, program or os.path.join(BUILD, "relayd")
        self.process = None
        self.start()

    def start(self):
        self.process = self.world.spawn([self.program, "-c", self.config], self.name + ".log",
                                        env=dict(os.environ, **(self.env or {})))

        def ready():
            if self.process.poll() is not None:
                raise SystemExit("relayd ended with status %d:\n%s" % (self.process.returncode, self.log()[-3000:]))
            # Without a daemon relayq answers from the store: wait for the daemon itself.
            done = self.relayq("stats", "--json", check=False)
            return done.returncode == 0 and json.loads(done.stdout.splitlines()[-1]).get("daemon")
        wait_for("relayd", ready)

    def log(self):
        with open(self.world.path(self.name + ".log"), errors="replace") as f:
            return f.read()

    def relayq(self, *args, check=True):
        return subprocess.run([os.path.join(BUILD, "relayq"), "-c", self.config, *args], capture_output=True, text=True,
                              check=check)

    def json(self, *args):
        return [json.loads(line) for line in self.relayq("--json", *args).stdout.splitlines()]

    def total(self):
        return self.json("stats")[-1]

    def stop(self, sig=signal.SIGTERM, seconds=30):
        self.process.send_signal(sig)
        return self.process.wait(seconds)


class Receiver:
    """A scripted SMTP server in a thread: behaviour by a function, every accepted message recorded.

    decide(stage, session) -> reply text, or None for the default; stages: connect, mail, rcpt, dot.
    """

    def __init__(self, address, port, decide=None, delay=0.0, tls=None):
        self.records, self.lock = [], threading.Lock()
        self.sources = {}
        self.decide, self.delay = decide or (lambda stage, session: None), delay
        self.sock = socket.create_server((address, port), backlog=512, family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, peer = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn, peer), daemon=True).start()

    def _serve(self, conn, peer):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._session(conn, peer)
        except OSError:
            pass
        finally:
            conn.close()

    def _session(self, conn, peer):
        with self.lock:
            self.sources[peer[0]] = self.sources.get(peer[0], 0) + 1
        session = {"source": peer[0], "messages": 0, "sender": None, "rcpts": []}
        read = conn.makefile("rb")

        def say(text):
            if self.delay:
                time.sleep(self.delay)
            conn.sendall(text.encode() + b"\r\n")

        greeting = self.decide("connect", session) or "220 mx ESMTP"
        say(greeting)
        if not greeting.startswith("220"):
            return
        for raw in iter(read.readline, b""):
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                session["helo"] = line[5:]
                say("250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
            elif verb == "MAIL":
                session["sender"], session["rcpts"] = re.search("<(.*?)>", line).group(1), []
                say(self.decide("mail", session) or "250 2.1.0 ok")
            elif verb == "RCPT":
                session["rcpt"] = re.search("<(.*?)>", line).group(1)
                reply = self.decide("rcpt", session) or "250 2.1.5 ok"
                if reply.startswith("250"):
                    session["rcpts"].append(session["rcpt"])
                say(reply)
            elif verb == "DATA":
                if not session["rcpts"]:
                    say("503 5.5.1 no recipients")
                    continue
                say("354 go on")
                data = self._data(read)
                reply = self.decide("dot", session) or "250 2.0.0 taken"
                if reply.startswith("250"):
                    session["messages"] += 1
                    with self.lock:
                        self.records.append({"source": peer[0], "helo": session.get("helo"), "sender": session["sender"],
                                             "rcpts": list(session["rcpts"]), "data": data, "at": time.time()})
                say(reply)
                session["rcpts"] = []
            elif verb == "RSET":
                session["rcpts"] = []
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok" if verb == "NOOP" else "502 5.5.1 unknown")

    @staticmethod
    def _data(read):
        lines = []
        for raw in iter(read.readline, b""):
            if raw == b".\r\n":
                return b"".join(lines)
            lines.append(raw[1:] if raw.startswith(b".") else raw)
        raise OSError("lost")

    def close(self):
        self.sock.close()


def have_user(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False
