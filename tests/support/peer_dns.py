# tests/support/peer_dns.py - a tiny authoritative DNS server on UDP and TCP for the names of one script.
import socket
import struct
import threading

TYPES = {'A': 1, 'CNAME': 5, 'SOA': 6, 'MX': 15, 'TXT': 16, 'AAAA': 28}
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def encode_name(name):
    labels = [label for label in name.split('.') if label]
    return b''.join(bytes([len(label)]) + label.encode() for label in labels) + b'\0'


def encode_data(kind, value):
    if kind == 'A':
        return socket.inet_aton(value)
    if kind == 'AAAA':
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == 'MX':
        preference, host = value
        return struct.pack('!H', preference) + encode_name(host)
    if kind == 'TXT':
        return bytes([len(value)]) + value.encode()
    return encode_name(value)


class Dns:
    def __init__(self):
        self.records = {}   # lower-case name -> [(type, value)]
        self.failing = set()
        while not self._bind():
            pass
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def _bind(self):
        """One port for both; False: somebody has it for TCP already."""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(('127.0.0.1', 0))
        self.port = self.udp.getsockname()[1]
        try:
            self.tcp = socket.create_server(('127.0.0.1', self.port))
        except OSError:
            self.udp.close()
            return False
        return True

    def add(self, name, kind, value):
        self.records.setdefault(name.lower().rstrip('.'), []).append((kind, value))

    def close(self):
        self.udp.close()
        self.tcp.close()

    def _answer(self, query):
        ident, flags = struct.unpack('!HH', query[:4])
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode('latin-1'))
            at += 1 + query[at]
        question = query[12:at + 5]
        wanted = struct.unpack('!H', query[at + 1:at + 3])[0]
        key = '.'.join(name).lower()
        rcode, answers = self._find(key, wanted)
        authority = b''
        if not answers and rcode != SERVFAIL:
            soa = encode_name('ns.test') + encode_name('root.ns.test') + struct.pack('!IIIII', 1, 60, 60, 60, 1)
            authority = encode_name(key) + struct.pack('!HHIH', TYPES['SOA'], 1, 1, len(soa)) + soa
        header = struct.pack('!HHHHHH', ident, 0x8480 | (flags & 0x0100) | rcode, 1, len(answers), 1 if authority else 0, 0)
        return header + question + b''.join(answers) + authority

    def _find(self, key, wanted, depth=0):
        if key in self.failing:
            return SERVFAIL, []
        if key not in self.records:
            above = any(other.endswith('.' + key) for other in self.records)
            return (NOERROR if above or key == '' else NXDOMAIN), []
        found = []
        for kind, value in self.records[key]:
            if TYPES[kind] == wanted or kind == 'CNAME':
                data = encode_data(kind, value)
                found.append(encode_name(key) + struct.pack('!HHIH', TYPES[kind], 1, 1, len(data)) + data)
                if kind == 'CNAME' and wanted != TYPES['CNAME'] and depth < 4:
                    found += self._find(value.lower().rstrip('.'), wanted, depth + 1)[1]
        return NOERROR, found

    def _serve_udp(self):
        while True:
            try:
                query, client = self.udp.recvfrom(4096)
                self.udp.sendto(self._answer(query), client)
            except OSError:
                return
            except (IndexError, struct.error):
                continue

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(5)
                try:
                    size = struct.unpack('!H', sock.recv(2))[0]
                    answer = self._answer(sock.recv(size))
                    sock.sendall(struct.pack('!H', len(answer)) + answer)
                except (OSError, IndexError, struct.error):
                    continue
