"""tests/dane/tls_world.py - what the tests about TLS to receivers share: certificates, receivers with faults, signed zones, a validating resolver.

Standard library only, and libunbound by ctypes.
"""
import base64
import ctypes
import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "world"))
from world import wait_for  # noqa: E402

# --- certificates -----------------------------------------------------------------------------------------------------------

class Certificates:
    def __init__(self, world):
        self.world = world
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-keyout", "ca.key",
                     "-out", "ca.pem", "-subj", "/CN=Test Authority")

    def openssl(self, *args):
        return subprocess.run(["openssl", *args], cwd=self.world.dir, check=True, capture_output=True).stdout

    def authority(self, stem):
        """An authority below the first one."""
        self.world.write(stem + ".ext", "[x]\nbasicConstraints=critical,CA:true\n")
        self.request(stem, "Test " + stem)
        self.openssl("x509", "-req", "-in", stem + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", stem + ".crt",
                     "-extfile", stem + ".ext", "-extensions", "x", "-days", "30")
        os.rename(self.world.path(stem + ".crt"), self.world.path(stem + ".pem"))

    def request(self, stem, subject):
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", stem + ".key",
                     "-out", stem + ".csr", "-subj", "/CN=" + subject)

    def make(self, stem, names, dates="now", issuer="ca", chain=("ca",), subject_only=False):
        """A key and a certificate for `names`, valid now, in the past or in the future, with authorities behind it."""
        alternative = "" if subject_only else "subjectAltName=%s\n" % ",".join("DNS:" + name for name in names)
        self.world.write(stem + ".ext", "[x]\nbasicConstraints=CA:false\n" + alternative)
        self.request(stem, names[0])
        if dates == "future":
            self.future(stem, issuer)
        else:
            self.openssl("x509", "-req", "-in", stem + ".csr", "-CA", issuer + ".pem", "-CAkey", issuer + ".key", "-CAcreateserial", "-out", stem + ".crt",
                         "-extfile", stem + ".ext", "-extensions", "x", "-days", "-1" if dates == "past" else "30")
        with open(self.world.path(stem + ".pem"), "w") as out:
            for part in (stem + ".crt", *(name + ".pem" for name in chain)):
                with open(self.world.path(part)) as f:
                    out.write(f.read())

    def future(self, stem, issuer):
        """Only `openssl ca` can give a certificate another beginning than now."""
        self.world.write("index.txt", "")
        self.world.write("ca.conf", "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n"
                         "unique_subject=no\n[p]\ncommonName=supplied\n")
        begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)) for days in (2, 30))
        self.openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", issuer + ".pem", "-keyfile", issuer + ".key", "-in", stem + ".csr",
                     "-out", stem + ".crt", "-extfile", stem + ".ext", "-extensions", "x", "-startdate", begin, "-enddate", end)

    def digest(self, stem, selector, matching):
        """What a TLSA record says of a certificate (RFC 6698 section 2.1)."""
        file = stem + (".crt" if os.path.exists(self.world.path(stem + ".crt")) else ".pem")
        if selector:
            pem = self.openssl("x509", "-in", file, "-noout", "-pubkey").decode()
            der = base64.b64decode("".join(pem.strip().splitlines()[1:-1]))
        else:
            der = self.openssl("x509", "-in", file, "-outform", "DER")
        return {0: der, 1: hashlib.sha256(der).digest(), 2: hashlib.sha512(der).digest()}[matching].hex()


# --- receivers --------------------------------------------------------------------------------------------------------------

class Receiver:
    """Takes mail, by TLS when it has a certificate. `offer`: yes, no (STARTTLS is not offered), refuse (454), broken (no handshake)."""

    def __init__(self, address, port, pem=None, offer="yes"):
        self.offer, self.messages, self.connections, self.ended, self.resumed, self.names, self.others = offer, [], 0, 0, 0, [], {}
        self.context = self.tls(pem) if pem else None
        if pem:
            self.context.sni_callback = self.on_name
        self.sock = socket.create_server((address, port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    @staticmethod
    def tls(pem):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem + ".pem", pem + ".key")
        return context

    def choose(self, name, pem):
        """Another certificate for those that ask for this name by SNI."""
        self.others[name] = self.tls(pem)

    def on_name(self, sock, name, context):
        self.names.append(name)
        sock.context = self.others.get(name, context)

    def accept(self):
        while True:
            conn, _ = self.sock.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            self.session(conn)
        except OSError:
            pass
        finally:
            self.ended += 1
            conn.close()

    def session(self, conn):
        read, secure = conn.makefile("rb"), False
        conn.sendall(b"220 mx ESMTP\r\n")
        while line := read.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                offered = self.offer != "no" and not secure
                conn.sendall(b"250-mx\r\n250 STARTTLS\r\n" if offered else b"250 mx\r\n")
            elif verb == b"STARTTLS" and self.offer == "refuse":
                conn.sendall(b"454 4.7.0 TLS not available\r\n")
            elif verb == b"STARTTLS":
                conn.sendall(b"220 go\r\n")
                if self.offer == "broken":
                    return
                conn = self.context.wrap_socket(conn, server_side=True)
                self.resumed += conn.session_reused
                read, secure = conn.makefile("rb"), True
            elif verb == b"DATA":
                conn.sendall(b"354 go\r\n")
                text = b"".join(iter(read.readline, b".\r\n"))
                self.messages.append((re.search(rb"Subject: (\S+)", text).group(1).decode(), secure))
                conn.sendall(b"250 2.0.0 taken\r\n")
            elif verb == b"QUIT":
                conn.sendall(b"221 bye\r\n")
                return
            else:
                conn.sendall(b"250 ok\r\n")


# --- zones ------------------------------------------------------------------------------------------------------------------

def sign(world, zone):
    """Sign the zone file named like the zone (the root: "root") with a fresh key; its DS goes to NAME.ds. Returns the signed file's name."""
    def run(*args):
        return subprocess.run(args, cwd=world.dir, check=True, capture_output=True, text=True).stdout.strip()
    name = zone or "root"
    key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", zone or ".")
    run("ldns-signzone", "-o", zone or ".", "-f", name + ".signed", name, key)
    os.rename(world.path(key + ".ds"), world.path(name + ".ds"))
    return name + ".signed"


def serve(world, files, port):
    """nsd with {zone: file}; a file that is not there makes a zone whose every answer is SERVFAIL."""
    conf = ["server:", " ip-address: 127.0.0.1@%d" % port, ' username: ""', ' chroot: ""', " server-count: 1", ' database: ""',
            ' zonesdir: "%s"' % world.dir, ' pidfile: "%s"' % world.path("nsd.pid"), ' zonelistfile: "%s"' % world.path("nsd.zones"),
            ' xfrdfile: "%s"' % world.path("nsd.xfrd"), " rrl-ratelimit: 0", "remote-control:", " control-enable: no"]
    for name, file in files.items():
        conf += ["zone:", ' name: "%s"' % (name or "."), ' zonefile: "%s"' % file]
    world.spawn(["nsd", "-d", "-c", world.write("nsd.conf", "\n".join(conf) + "\n")], "nsd.log")
    wait_for("nsd", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)


# --- a validating resolver --------------------------------------------------------------------------------------------------

class UbResult(ctypes.Structure):
    """struct ub_result of unbound.h"""
    _fields_ = [("qname", ctypes.c_char_p), ("qtype", ctypes.c_int), ("qclass", ctypes.c_int), ("data", ctypes.c_void_p), ("len", ctypes.c_void_p),
                ("canonname", ctypes.c_char_p), ("rcode", ctypes.c_int), ("answer_packet", ctypes.c_void_p), ("answer_len", ctypes.c_int),
                ("havedata", ctypes.c_int), ("nxdomain", ctypes.c_int), ("secure", ctypes.c_int), ("bogus", ctypes.c_int),
                ("why_bogus", ctypes.c_char_p), ("was_ratelimited", ctypes.c_int), ("ttl", ctypes.c_int)]


class Validator:
    """A validating resolver on port 53 of an address of its own, for programs that ask the system's: libunbound in front of our server, with our anchors."""

    address = "127.53.53.53"

    def __init__(self, port, anchors):
        self.lib = ctypes.CDLL("libunbound.so.8")
        self.lib.ub_ctx_create.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.ub_ctx_create())
        for name, value in ((b"do-not-query-localhost:", b"no"), (b"local-zone:", b"test. transparent")):
            self.must(self.lib.ub_ctx_set_option(self.ctx, name, value))
        self.must(self.lib.ub_ctx_set_fwd(self.ctx, b"127.0.0.1@%d" % port))
        for anchor in anchors:
            self.must(self.lib.ub_ctx_add_ta_file(self.ctx, anchor.encode()))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def must(code):
        assert code == 0, code

    def serve(self):
        while True:
            query, client = self.sock.recvfrom(4096)
            self.sock.sendto(self.answer(query), client)

    def answer(self, query):
        end = self.end_of_question(query)
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]])
            at += query[at] + 1
        result = ctypes.POINTER(UbResult)()
        kind = int.from_bytes(query[end - 4:end - 2], "big")
        code = self.lib.ub_resolve(self.ctx, b".".join(name) or b".", kind, 1, ctypes.byref(result))
        failed = query[:2] + b"\x81\x82" + query[4:6] + bytes(6) + query[12:end]
        if code != 0:
            return failed
        r = result.contents
        packet = bytearray(ctypes.string_at(r.answer_packet, r.answer_len)) if r.answer_packet and not r.bogus and r.rcode in (0, 3) else bytearray(failed)
        if packet[:] != failed:
            packet[:2] = query[:2]
            packet[2] |= 0x81
            packet[3] = packet[3] & 0x0f | 0x80 | (0x20 if r.secure else 0)
        self.lib.ub_resolve_free(result)
        return bytes(packet)

    @staticmethod
    def end_of_question(query):
        at = 12
        while query[at]:
            at += query[at] + 1
        return at + 5
